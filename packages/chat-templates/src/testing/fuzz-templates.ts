import { Float } from "@kto/core";
import { renderChat } from "../render.js";
import { heavyTemplates, refusedTemplates } from "./hostile-templates.js";
import type { MutatingReader, Randomness } from "../../../testing/src/fuzzed-reader.js";

const SEEDS: readonly string[] = [
  "{% for m in messages %}{% if loop.first and m.role != 'system' %}{{ bos_token }}{% endif %}<|{{ m['role'] }}|>\n{{ m.content | trim }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
  "{%- set ns = namespace(s='', n=0) -%}{%- for m in messages -%}{%- set ns.n = ns.n + 1 -%}{%- set ns.s = ns.s ~ m.content.split('</think>')[-1].lstrip('\\n') -%}{%- endfor -%}{{ ns.s }}{{ ns.n }}",
  "{% macro call(c, i=0) %}{{ c.name }}({% for k, v in c.arguments | dictsort %}{{ k }}={{ v | tojson(indent=2) }}{{ ', ' if not loop.last }}{% endfor %}){% endmacro %}{% for m in messages if m.tool_calls %}{{ call(m.tool_calls[0].function) }}{% endfor %}",
  "{% if tools is defined and tools %}{{ tools | tojson(indent=4, sort_keys=true) }}{% endif %}{{ strftime_now('%d %b %Y') }}{{ x | default('none', true) | upper | indent(2, true) }}",
  "{% for m in messages recursive %}{{ loop.index0 }}{{ loop.depth }}{{ m.content[1:-1:2] }}{% generation %}{{ m.content }}{% endgeneration %}{% else %}-{% endfor %}{{ '%s %5.2f %-4d|' | format('a', 2.5, 3) }}{{ '{0} {a!r}'.format(1, a=n) }}",
  "{% filter upper %}a{{ [3, 1.0, big, nan] | sort | unique | join(',') }}{% endfilter %}{% macro f(n) %}{{ caller(n) }}{% endmacro %}{% call(x) f(2) %}{{ x }}{% endcall %}{% with a = 1 %}{{ a ** 70 // 3 % 7 }}{% endwith %}{% raw %}{{ x }}{% endraw %}{# c #}",
  "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | map('length') | sum }}{{ order | items | list }}{{ order | dictsort | batch(2, 0) | list }}{{ odd.replace('o', '').rsplit(none, 1) | urlencode }}",
];

/** What may stand in place of a piece of a template. */
const PIECES: readonly string[] = (
  "{% {%- %} -%} {{ }} {# #} ( ) [ ] { } , : . | ~ + - * / // % ** == < >= in not is and or if else elif endif for endfor set endset macro endmacro call endcall " +
  "filter endfilter with endwith generation endgeneration raw endraw break continue recursive namespace( range( dict( cycler( joiner( raise_exception( strftime_now( loop " +
  "messages m m.role m.content tools ns ns.s ns.n x n big nan odd order true none 0 1 -1 2 10**20 99999999999999999999 1e308 1e-308 0.1 'a' '' '\\ud800' '%s' '{}' 'é😀' [1,2] {'a':1} (1,) " +
  "|upper |lower |title |capitalize |trim |string |escape |replace('a','aa') |center(9999999) |indent(99999) |truncate(3) |wordcount |urlencode |format(1) |default(1) |abs |int |int(0,16) |float " +
  "|round |round(-400) |round(2,'ceil') |attr('a') |tojson |tojson(indent=99999) |length |list |first |last |join(',') |reverse |sort |unique |min |max |sum |sum(start=[]) |groupby('role') |batch(10**9,0) " +
  "|dictsort |items |map('upper') |map(attribute='a.b') |select |reject('none') |selectattr('role') .upper() .split() .split('a') .rsplit('a',2) .strip() .replace('','b') .join(['a','b']) .center(10**9) .zfill(10**9) " +
  ".find('a') .count('') .partition('a') .format(1,2) .splitlines() .title() .items() .get('a') .keys() .index(1) .append(1) .__class__ ['a'] [0] [-1] [::-1] [1:10**30] [:] *x **x =1 ._x .1_0 \n \\ ' \" \0 \u2028"
).split(" ");

/** Cuts a template into words, signs and tags. */
const PIECE = /\{[%{#][-+]?|[-+]?[%}#]\}|\w+|'[^']*'|\s+|./gsu;

/** What templates are rendered with: values that JavaScript tells apart less well than Python, and halves of characters. */
const VARIABLES: Readonly<Record<string, unknown>> = {
  n: null,
  big: 7310582941637725184n,
  nan: Number.NaN,
  whole: new Float(25),
  odd: "o\ud800\u0000é😀\n ",
  order: new Map<string, unknown>([
    ["10", new Float(1)],
    ["2", [1, { a: "b" }]],
  ]),
};

const MESSAGES = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "What is 2 + 2?\n" },
  {
    role: "assistant",
    content: "<think>\nhm</think>4",
    reasoning: "hm",
    tool_calls: [{ type: "function", function: { name: "f", arguments: { a: new Float(1), b: [1n << 70n] } } }],
  },
];

const encoder = new TextEncoder();
/** Filters, methods and the like, which any operand may have behind it. */
const SUFFIXES: readonly string[] = PIECES.filter((piece) => /^[|.*[]|^[-+~%/<>=]+$/.test(piece) && piece !== "." && piece !== "[");
const OPERANDS: readonly string[] = PIECES.filter(
  (piece) => /^(?:[\w'[{(-].*|tools)$/s.test(piece) && !/^(?:\(|\[|\{|end|if|el|for|is|in|and|or|not|\{[%{#])|\($|^'$|^-$/.test(piece),
);

/** The pieces with further filters, methods and operators behind operands, which mostly leaves a template that can be read. */
function withSuffixes(pieces: readonly string[], random: Randomness): string {
  const places = pieces.flatMap((piece, index) =>
    /^(?:\w+|'[^']*'|[)\]])$/.test(piece) && !/^(?:if|el|for|in|is|not|and|or|end|set|macro|call|filter|with)/.test(piece) ? [index] : [],
  );
  const changed = [...pieces];
  for (let step = 1 + random.below(4); step > 0 && places.length > 0; step--) {
    const at = random.pick(places);
    const suffix = random.pick(SUFFIXES);
    if (random.chance(0.2)) changed[at] = random.pick(OPERANDS);
    else changed[at] += /^[-+~%/<>=*]+$/.test(suffix) ? ` ${suffix} ${random.pick(OPERANDS)}` : suffix;
  }
  return changed.join("");
}

/** Templates: compiled and rendered with a conversation, tools and odd variables. */
export const templateReader: MutatingReader = {
  name: "chat-template",
  seeds: () =>
    [...SEEDS, ...refusedTemplates, ...heavyTemplates]
      .map((seed) => (typeof seed === "string" ? seed : seed[0]))
      .filter((template) => template.length < 400)
      // what means no harm is damaged more often than what does
      .flatMap((template, index) => (index < SEEDS.length ? Array.from({ length: 20 }, () => template) : [template]))
      .map((template) => encoder.encode(template)),
  mutate(seed, random) {
    const pieces = new TextDecoder().decode(seed).match(PIECE) ?? [];
    if (random.chance(0.6)) return encoder.encode(withSuffixes(pieces, random));
    for (let step = 1 + random.below(4); step > 0; step--) {
      const at = random.below(pieces.length + 1);
      const piece = random.pick(PIECES);
      const span = 1 + random.below(4);
      switch (random.below(7)) {
        case 0:
          pieces.splice(at, 0, piece);
          break;
        case 1:
          pieces.splice(at, span);
          break;
        case 2:
          pieces.splice(at, 1, piece);
          break;
        case 3:
          pieces.splice(at, 0, ...Array.from({ length: 1 + random.below(40) }, () => pieces.slice(at, at + span)).flat());
          break;
        case 4: {
          const from = random.below(pieces.length);
          pieces.splice(at, 0, ...pieces.slice(from, from + span));
          break;
        }
        case 5:
          if (/^\d+$/.test(pieces[at] ?? "")) pieces[at] = random.pick(["0", "-1", "2**31", "10**9", "99999999999999999999", "1e400"]);
          else pieces.splice(at, 0, piece, " ", random.pick(PIECES));
          break;
        default:
          pieces.splice(at, 0, "{{ ", pieces.length > 0 ? random.pick(pieces) : "x", piece, random.pick(PIECES), " }}");
      }
    }
    return encoder.encode(pieces.join(""));
  },
  read(input) {
    return renderChat(new TextDecoder().decode(input), MESSAGES, {
      addGenerationPrompt: true,
      tools: [{ type: "function", function: { name: "f", parameters: new Map([["9", new Float(0)]]) } }],
      specialTokens: { bos_token: "<s>", eos_token: "</s>" },
      variables: VARIABLES,
      now: () => new Date(0),
    });
  },
};
