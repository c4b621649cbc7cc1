import { backward, sum } from "@kto/tensor";
import { checkOp, Numbers } from "@kto/testing";
import { requestTestDevice } from "@kto/testing/node";
import { logCosh } from "./log-cosh.js";

// `npm start -w examples/custom-kernel`, on the software adapter; with KTO_DEVICE=gpu on the machine's own GPU.
const device = await requestTestDevice();
const x = device.tensor([-40, -1, 0, 0.5], [4], "f32");
x.requiresGrad = true;
const y = logCosh(x);
const gradients = backward(sum(y));
const round = (values: ArrayLike<number>): string => Array.from(values, (value) => value.toFixed(4)).join(" ");
console.log("log cosh x ", round(await y.read()));
console.log("gradient   ", round(await gradients.get(x)!.read()));

const { kernels } = await checkOp(device, {
  name: "logCosh 3 × 5",
  inputs: { x: new Numbers(1).input([3, 5]) },
  run: (at) => logCosh(at.x),
  reference: (at) => at.x.map((value) => Math.log(Math.cosh(value))),
});
console.log(`agrees with float64, value and gradient; ran ${kernels.filter((name) => name.startsWith("logCosh")).join(", ")}`);
device.dispose();
