// Notebook, step 7: questions, answered as the text comes.

import { generate, getChatTemplate, loadAdapter, loadModel, openDevice } from "kto";
import { folder, maxNewTokens, modelName } from "./settings.js";
import { options, signal } from "./terminal.js";

using device = await openDevice();
using base = await loadModel(modelName, { device, loadIn4bit: true, ...options });
using model = await loadAdapter(base, `${folder}/lora_model`, { isTrainable: false });
const tokenizer = getChatTemplate(base.tokenizer, "chatml", {
  mapping: { role: "role", content: "content", user: "user", assistant: "assistant" },
});

async function generateResponse(message: string): Promise<void> {
  console.log(`\n${"=".repeat(50)}\nQUESTION:\n${"=".repeat(50)}\n${message}\n`);
  console.log(`${"-".repeat(50)}\nRESPONSE:\n${"-".repeat(50)}`);
  const messages = [{ role: "user", content: message }];
  const answer = generate(model, { messages, tokenizer, temperature: 0.1, maxNewTokens, signal });
  for await (const { text } of answer) process.stdout.write(text);
  const { newTokens, tokensPerSecond } = await answer.result;
  console.log(`\n\n${newTokens} tokens, ${tokensPerSecond.toFixed(0)} a second`);
}

await generateResponse("A train leaves at 9:40 and takes 85 minutes. When does it arrive?");
await generateResponse("Write a function that tells whether a word is a palindrome.");
await generateResponse("Why is the sky blue? Answer in two sentences.");
