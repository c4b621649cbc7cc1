export * from "@kto/kit/node";
