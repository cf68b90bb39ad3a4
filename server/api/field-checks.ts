/**
 * Reads the fields of a request and collects what is wrong with them, so that the caller hears of all at once. Each reader
 * returns a usable value in any case; `finish` throws if any of them found a fault.
 */
import { fieldInvalid, MeridianError } from "../../shared/errors.ts";
import { violationsMax } from "./limits.ts";

export interface TextBounds {
  readonly lengthMax: number;
  /** Default false: a text must not be empty. */
  readonly canBeEmpty?: boolean;
  /** Default false: line breaks and tabs are refused, as all control characters are. */
  readonly canHaveLines?: boolean;
}

export interface NumberBounds {
  readonly least: number;
  readonly most: number;
}

export class FieldChecks {
  private readonly faults: { readonly field: string; readonly description: string }[] = [];

  refuse(field: string, description: string): void {
    this.faults.push({ field, description });
  }

  get hasFaults(): boolean {
    return this.faults.length > 0;
  }

  text(field: string, value: string, bounds: TextBounds): string {
    if (value === "") {
      if (bounds.canBeEmpty !== true) this.refuse(field, "must not be empty");
    } else if (value.length > bounds.lengthMax) {
      this.refuse(field, `must have at most ${bounds.lengthMax} characters, not ${value.length}`);
    } else if (!isPrintable(value, bounds.canHaveLines === true)) {
      this.refuse(field, "must not contain control characters");
    }
    return value;
  }

  /** @param described what the pattern asks for, after "must be". */
  pattern(field: string, value: string, pattern: RegExp, described: string): string {
    if (!pattern.test(value)) this.refuse(field, value === "" ? "must not be empty" : `must be ${described}`);
    return value;
  }

  number(field: string, value: number, bounds: NumberBounds): number {
    // Written so that NaN is refused too.
    if (!(value >= bounds.least && value <= bounds.most)) {
      this.refuse(field, `must be from ${bounds.least} to ${bounds.most}, not ${value}`);
    }
    return value;
  }

  count(field: string, count: number, most: number): void {
    if (count > most) this.refuse(field, `must have at most ${most} entries, not ${count}`);
  }

  /** Throws FIELD_INVALID with every fault that was found. */
  finish(): void {
    const [first, ...more] = this.faults;
    if (first === undefined) return;
    if (more.length === 0) throw fieldInvalid(first.field, first.description);
    throw new MeridianError(
      "FIELD_INVALID",
      `${first.field}: ${first.description} (and ${more.length} more wrong ${more.length === 1 ? "field" : "fields"})`,
      { fields: this.faults.slice(0, violationsMax), metadata: { field: first.field } },
    );
  }
}

/** Whether a text has no control characters and is well-formed Unicode. */
export function isPrintable(text: string, canHaveLines = false): boolean {
  const allowed = canHaveLines ? text.replaceAll(/[\n\r\t]/g, "") : text;
  return allowed.isWellFormed() && !/\p{Cc}/u.test(allowed);
}
