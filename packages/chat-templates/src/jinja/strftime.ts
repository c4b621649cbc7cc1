import { spendItems } from "./budget.js";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const MS_PER_DAY = 86_400_000;

/** `datetime.strftime` in the C locale and local time; `%-d` and its like drop leading zeros. An unknown directive stays as it is. */
export function strftime(date: Date, format: string): string {
  spendItems(format.length, 128); // as though all of it were directives
  return format.replace(/%(-?)([a-zA-Z%])/g, (directive, plain: string, letter: string) => {
    const text = expand(date, letter);
    if (text === undefined) return directive;
    return plain ? text.replace(/^[0 ]+(?=.)/, "") : text;
  });
}

function expand(date: Date, letter: string): string | undefined {
  const two = (value: number): string => String(value).padStart(2, "0");
  const hour12 = date.getHours() % 12 || 12;
  const dayOfYear = Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / MS_PER_DAY,
  );
  const weekday = date.getDay();
  switch (letter) {
    case "%":
      return "%";
    case "a":
      return DAYS[weekday]!.slice(0, 3);
    case "A":
      return DAYS[weekday]!;
    case "b":
    case "h":
      return MONTHS[date.getMonth()]!.slice(0, 3);
    case "B":
      return MONTHS[date.getMonth()]!;
    case "c":
      return strftime(date, "%a %b %e %H:%M:%S %Y");
    case "d":
      return two(date.getDate());
    case "D":
    case "x":
      return strftime(date, "%m/%d/%y");
    case "e":
      return String(date.getDate()).padStart(2, " ");
    case "f":
      return String(date.getMilliseconds() * 1000).padStart(6, "0");
    case "F":
      return strftime(date, "%Y-%m-%d");
    case "H":
      return two(date.getHours());
    case "I":
      return two(hour12);
    case "j":
      return String(dayOfYear + 1).padStart(3, "0");
    case "m":
      return two(date.getMonth() + 1);
    case "M":
      return two(date.getMinutes());
    case "n":
      return "\n";
    case "p":
      return date.getHours() < 12 ? "AM" : "PM";
    case "R":
      return strftime(date, "%H:%M");
    case "S":
      return two(date.getSeconds());
    case "s":
      return String(Math.floor(date.getTime() / 1000));
    case "t":
      return "\t";
    case "T":
    case "X":
      return strftime(date, "%H:%M:%S");
    case "u":
      return String(weekday || 7);
    case "U":
      return two(Math.floor((dayOfYear + 7 - weekday) / 7));
    case "w":
      return String(weekday);
    case "W":
      return two(Math.floor((dayOfYear + 7 - ((weekday + 6) % 7)) / 7));
    case "y":
      return two(date.getFullYear() % 100);
    case "Y":
      return String(date.getFullYear());
    case "z":
    case "Z":
      return ""; // datetime.now() carries no time zone
  }
  return undefined;
}
