/** Logs: pino, JSON lines; the message is a constant phrase, the data stands in fields with fixed names. */
import { type Logger, pino } from "pino";

export type { Logger } from "pino";

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Fields that hold secrets, wherever they stand. */
const secretPaths = ["password", "api_key", "apiKey", "token", "secret", "authorization", "credentials"].flatMap(
  (field) => [field, `*.${field}`, `*.*.${field}`],
);

export interface LogOptions {
  /** The least severe level that is written. Default "info". */
  readonly level?: LogLevel;
}

/** A logger that writes to standard error, so that standard output stays free for answers. */
export function createLogger(name: string, options: LogOptions = {}): Logger {
  return pino(
    { name, level: options.level ?? "info", redact: { paths: secretPaths, censor: "[redacted]" } },
    pino.destination({ dest: 2, sync: true }),
  );
}

export const silentLogger: Logger = pino({ level: "silent" });
