/** `npm run chaos:server`: kill rounds, as many as are asked for, with a line now and then and the figures at the end. */
import { parseArgs } from "node:util";
import { runKillRounds } from "./kill-rounds.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    clients: { type: "string", default: "64" },
    hosts: { type: "string", default: "16" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: "string" },
  },
});

/** A line of progress after so many rounds. */
const progressRounds = 25;

process.stdout.write(`seed ${values.seed}: ${values.rounds} rounds, ${values.clients} clients, ${values.hosts} Macs\n`);
const report = await runKillRounds({
  rounds: Number(values.rounds),
  clients: Number(values.clients),
  hosts: Number(values.hosts),
  seed: Number(values.seed),
  ...(values.minutes === undefined ? {} : { durationMs: Number(values.minutes) * 60_000 }),
  onRound: (rounds, restartMs) => {
    if (rounds % progressRounds === 0)
      process.stdout.write(`${rounds} rounds, last restart ${restartMs.toFixed(0)} ms\n`);
  },
});
const sorted = [...report.restartsMs].sort((a, b) => a - b);
const share = (part: number): string => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(0);
process.stdout.write(
  `${report.rounds} rounds: ${report.acknowledged} changes acknowledged, none lost; ` +
    `${report.made} VMs made on the Macs, none twice.\n` +
    `Restart to serving, ms: min ${share(0)}, p50 ${share(0.5)}, p90 ${share(0.9)}, p99 ${share(0.99)}, max ${share(1)}\n`,
);
