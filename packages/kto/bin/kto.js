#!/usr/bin/env node
await import("@kto/cli/bin/kto.js");
