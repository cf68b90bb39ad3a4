/** Names of enum values, as people write and read them. */
import type { DescEnum } from "@bufbuild/protobuf";

/** Such as RUNNING; a value that a newer server made up is shown by its number. */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? `UNKNOWN(${value})`;
}

/** Such as "arm64"; empty when not stated. */
export function enumWord(schema: DescEnum, value: number): string {
  return value === 0 ? "" : enumName(schema, value).toLowerCase();
}
