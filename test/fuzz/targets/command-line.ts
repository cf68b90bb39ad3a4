/** What people type: addresses, sizes, spans, ranges, labels, settings. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { Failure } from "../../../cli/failure.ts";
import { formatAddress, parseAddress } from "../../../cli/values/address.ts";
import { parseDurationMs } from "../../../cli/values/duration.ts";
import { parseLabelChanges } from "../../../cli/values/label.ts";
import { parseLabelExpression } from "../../../cli/values/label-expression.ts";
import { parseRange, parseShare } from "../../../cli/values/range.ts";
import { parseSettings } from "../../../cli/values/setting.ts";
import { parseSizeMib } from "../../../cli/values/size.ts";
import { bytesOf, decoder, expect, refusedBy, type TargetMaker, textOf } from "../target.ts";

const isDeclared = (error: unknown): boolean => error instanceof InvalidArgumentError || error instanceof Failure;

interface ArgumentTarget {
  readonly samples: readonly string[];
  readonly words?: readonly string[];
  readonly parse: (text: string) => unknown;
}

const targets: Readonly<Record<string, ArgumentTarget>> = {
  "argument-address": {
    samples: ["127.0.0.1:7070", "[::1]:7071", "meridian.example.com:443"],
    words: [":", "[", "]", "99999"],
    parse(text) {
      const address = parseAddress(text);
      expect(
        JSON.stringify(parseAddress(formatAddress(address))) === JSON.stringify(address),
        "an address changes when it is written",
      );
    },
  },
  "argument-amount": {
    samples: ["90s", "1h30m", "250ms", "8GiB", "1.5G", "8192", "200..900", "5%"],
    words: ["d", "h", "ms", "..", "%", ".", "T"],
    parse(text) {
      const amounts = [parseDurationMs, parseSizeMib, parseShare, parseRange].map((parse) =>
        attempt(() => parse(text)),
      );
      const all = amounts.flat().filter((amount) => amount !== undefined);
      expect(
        all.every((amount) => Number.isFinite(amount) && amount >= 0),
        `${all.join(", ")} are no amounts`,
      );
      if (all.length === 0) throw new InvalidArgumentError("none of them");
    },
  },
  "argument-label-expression": {
    samples: ["disk=ssd", "rack=7,8", "team!=ios", "xcode", "!broken", "cpu>8", "cpu<16"],
    words: ["=", "!=", "==", "<", ">", ",", "!"],
    parse: parseLabelExpression,
  },
  "argument-labels": {
    samples: ["team=ios", "rack-", "a=b=c"],
    words: ["=", "-", "__proto__=x"],
    parse(text) {
      const { set, removed } = parseLabelChanges([text]);
      expect(Object.keys(set).length + removed.length === 1, "a label was lost");
    },
  },
  "argument-setting": {
    samples: [
      "placement.strategy=spread",
      "hosts.lost_after=15m",
      "placement.weights.strategy=10",
      "preemption.enabled=true",
    ],
    words: ["=", ".", "hosts.", "queue.", "1e3", "true"],
    parse: (text) => parseSettings([text]),
  },
};

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}

export const commandLineTargets: readonly TargetMaker[] = Object.entries(targets).map(
  ([name, { samples, words, parse }]) =>
    decoder({
      name,
      samples: bytesOf(...samples),
      ...(words === undefined ? {} : { words }),
      judge: (input) => refusedBy(isDeclared, () => parse(textOf(input))),
    }),
);
