/** `meridian pool`: the pool as a whole, its settings, and its backups. */
import { required } from "../shared/assert.ts";
import { type Pool, PoolSchema, type PoolTotals } from "../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { ArchitectureSchema } from "../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_StateSchema } from "../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Column } from "./output/table.ts";
import { age, moment } from "./output/time.ts";
import { registerBackup } from "./pool/backup.ts";
import { registerSettings } from "./pool/settings.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { enumName, enumWord } from "./values/enum.ts";
import { formatShare, formatSizeShare } from "./values/resources.ts";
import { examples } from "./verbs.ts";

export function registerPool(program: Program, terminal: Terminal): void {
  const noun = program
    .command("pool")
    .summary("look at the pool as a whole, change its settings, and back it up")
    .description("Looks at the pool as a whole, changes its settings, and backs it up.");
  noun
    .command("status")
    .summary("show totals, the queue and the server's version")
    .description("Shows what the hosts of the pool have and what is taken of it, the queue, and the server's version.")
    .addHelpText("after", examples("pool status", "pool status --json"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        const message = required((await session.pool.getPool({}, session.call)).pool, "pool in the answer");
        printResource(session, { schema: PoolSchema, message }, () => poolView(session, message));
      }),
    );
  registerSettings(noun, terminal);
  registerBackup(noun, terminal);
}

const columns: readonly Column<PoolTotals>[] = [
  { title: "ARCH", text: ({ architecture }) => enumWord(ArchitectureSchema, architecture) || "-" },
  { title: "HOSTS", text: ({ hosts }) => String(hosts), align: "right" },
  { title: "READY", text: ({ hostsReady }) => String(hostsReady), align: "right" },
  { title: "PLACEABLE", text: ({ hostsPlaceable }) => String(hostsPlaceable), align: "right" },
  {
    title: "CPU",
    text: ({ allocated, capacity }) => formatShare(Number(allocated?.cpuCount ?? 0), Number(capacity?.cpuCount ?? 0)),
    align: "right",
  },
  {
    title: "MEMORY",
    text: ({ allocated, capacity }) =>
      formatSizeShare(Number(allocated?.memoryMib ?? 0), Number(capacity?.memoryMib ?? 0)),
    align: "right",
  },
  {
    title: "DISK",
    text: ({ allocated, capacity }) => formatSizeShare(Number(allocated?.diskMib ?? 0), Number(capacity?.diskMib ?? 0)),
    align: "right",
  },
  {
    title: "MACOS",
    text: ({ macosSlotsUsed, macosSlots }) => formatShare(macosSlotsUsed, macosSlots),
    align: "right",
  },
];

function poolView(session: Session, pool: Pool): string {
  const { nowMs } = session;
  const states = pool.vmStates.map(({ state, count }) => `${count} ${enumName(VmStatus_StateSchema, state)}`);
  const waiting =
    pool.queueLength === 0
      ? "nobody waits"
      : `${pool.queueLength} wait, the first for ${age(pool.oldestPendingTime, nowMs)}`;
  return detailView(session)
    .facts([
      ["Server", `${session.connection.server}, version ${pool.version}`],
      ["Up since", moment(pool.startTime, nowMs)],
      ["Revision", String(pool.revision)],
      ["VMs", states.length === 0 ? "none" : states.join(", ")],
      ["Queue", waiting],
    ])
    .table("Taken of what the hosts have", pool.totals, columns)
    .toString();
}
