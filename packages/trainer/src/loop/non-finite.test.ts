import { expect, test } from "vitest";
import { expectFiniteLoss, NonFiniteLossError } from "./non-finite.js";

const facts = { rows: [4, 7], learningRate: 1e-3 };

test("a finite loss passes", () => {
  expect(() => expectFiniteLoss(-0.5, { step: 1, ...facts })).not.toThrow();
});

test("in the first update it is the model, later the learning rate", () => {
  expect(() => expectFiniteLoss(Number.NaN, { step: 1, ...facts })).toThrow(NonFiniteLossError);
  expect(() => expectFiniteLoss(Number.NaN, { step: 1, ...facts })).toThrow(
    /^train: the loss is NaN in update 1; expected a finite number; its rows in the data are 4, 7 and the learning rate was 0\.001; nothing was trained before it, so the model's weights may hold NaN/,
  );
  expect(() => expectFiniteLoss(Infinity, { step: 2, ...facts })).toThrow(
    /lower learningRate, or look at these rows; the last checkpoint is unchanged$/,
  );
});
