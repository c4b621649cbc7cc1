import { expect, it } from "vitest";

import { beginsAsHtml } from "../index.js";

it.each([
  ["<!DOCTYPE html><html>", true],
  [" \n<!-- saved -->\n<!---->\n<html lang=en>", true],
  ["<HEAD>", true],
  ["<!-- <html> -->{}", false],
  ["<!-- never closed <html>", false],
  ["<htmlx>", false],
  ['{"a": "<html>"}', false],
  ["", false],
  ["<!-->\n".repeat(100_000), false],
])("%.30j: %s", (text, expected) => expect(beginsAsHtml(text)).toBe(expected));
