import { requestDevice } from "@kto/tensor";

// Exits with 0 if the machine has a GPU that can be used, with 1 if not.
const device = await requestDevice({ hardwareOnly: true }).catch(() => undefined);
device?.dispose();
process.exit(device ? 0 : 1);
