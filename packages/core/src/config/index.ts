export { checkFields, overlay, type CheckedFields, type CheckOptions, type GivenFields } from "./check-fields.js";
export { describedTable, describeFields, fieldTable, otherFieldRows, tableCell, type FieldDescription } from "./describe-fields.js";
export {
  defaultsOf,
  field,
  inGroups,
  pickFields,
  redeclared,
  renamed,
  requiredField,
  type Field,
  type FieldFacts,
  type FieldFate,
  type FieldKind,
  type Fields,
  type FieldType,
  type Values,
} from "./field.js";
export {
  boolean,
  booleanOr,
  booleanOrInteger,
  booleanOrPath,
  choice,
  expecting,
  integer,
  map,
  mapOf,
  maps,
  names,
  number,
  numberOr,
  oneOrMore,
  orNull,
  path,
  patterns,
  text,
  where,
} from "./field-types.js";
export { jsonSchema, type JsonSchema } from "./json-schema.js";
export { libraryText, mistakeText, type Mistake, type RuleMistake, type UnusableValue } from "./mistake.js";
export { asksForNothing, ignored, refused, refusedUnless, replaced, type OtherField, type OtherFields } from "./other-field.js";
export { readFlag, readUnknown, readValue } from "./read-value.js";
export { memorySize } from "./size.js";
export { diskName, diskNames, snakeCase, spellOnDisk } from "./spelling.js";
