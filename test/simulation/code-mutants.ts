/** Mistakes that are made in the code itself: rules that stand in one place, which no part beside it can break from outside. */
import type { Edit } from "./edit.ts";

export interface CodeMutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

export const codeMutants: readonly CodeMutant[] = [
  {
    name: "check no quota",
    edits: [
      {
        file: "server/pool/quota.ts",
        find: "needed > 0 && held[bound] + needed > most",
        replace: "needed > most",
      },
    ],
  },
  {
    name: "enforce no lease",
    edits: [
      {
        file: "agent/leases/lease-keeper.ts",
        find: 'else if (leftMs <= 0) this.#remove(this.#book.end(lease), "lease ran out");',
        replace: "else if (leftMs <= 0) continue;",
      },
    ],
  },
  {
    name: "tell no renewal",
    edits: [
      {
        file: "server/sessions/lease-notices.ts",
        find: "else if (!isPlaced) this.send(session, [after], false);",
        replace: "",
      },
    ],
  },
  {
    name: "adopt one VM twice",
    edits: [
      {
        file: "server/apply/adoption.ts",
        find: "if (sight?.id === idOrName || sight?.name === idOrName)",
        replace: "if (false)",
      },
      {
        file: "server/apply/adoption.ts",
        find: "host.foreignVms.filter(({ id }) => id !== hostVm.id)",
        replace: "host.foreignVms",
      },
    ],
  },
  {
    name: "forget who asked for an adoption",
    edits: [
      {
        file: "server/apply/adoption.ts",
        find: "rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });",
        replace: "void rememberRequest;",
      },
    ],
  },
  {
    name: "leave what was replaced",
    edits: [
      {
        file: "server/planners/orphans.ts",
        find: "removeAtMs <= nowMs)",
        replace: "removeAtMs <= nowMs - 1e9)",
      },
    ],
  },
  {
    name: "place in quarantine",
    edits: [
      {
        file: "server/placement/filters.ts",
        find: "refuses: ({ host }) => isShut(host),",
        replace: "refuses: () => false,",
      },
    ],
  },
  {
    name: "take part of a batch",
    edits: [
      {
        file: "server/apply/batch.ts",
        find: 'if (fit === "all" && hosts.length < vms.length) throw noRoom(',
        replace: "if (vms.length === 0) throw noRoom(",
      },
    ],
  },
  {
    name: "believe an old Hello",
    edits: [
      {
        file: "server/apply/host-report.ts",
        find: 'if (isOutdated(event.dial, known?.dial)) return "outdated";',
        replace: "void isOutdated;",
      },
    ],
  },
  {
    name: "let a clone take a host's place",
    edits: [
      {
        file: "server/apply/host-report.ts",
        find: "if (isOtherMac(known?.facts, event.facts) && pool.vmsOn(event.id).size > 0)",
        replace: "if (isOtherMac(known?.facts, event.facts) && pool.vmsOn(event.id).size < 0)",
      },
    ],
  },
  {
    name: "remove orphans without a grace",
    edits: [
      {
        file: "server/pool/orphan.ts",
        find: "view.findVmByUid(parsed.uid) === undefined ? orphanGraceMs : 0",
        replace: "view.findVmByUid(parsed.uid) === undefined ? 0 : 0",
      },
    ],
  },
  {
    name: "take an owned VM for an orphan",
    edits: [
      {
        file: "server/apply/sightings.ts",
        find: "owned.get(hostVm.id) ?? findByName(pool, host, hostVm.name)",
        replace: "owned.get(hostVm.id)",
      },
    ],
  },
  {
    name: "do again what has ended",
    edits: [
      {
        file: "agent/commands/dispatcher.ts",
        find: `    if (known !== undefined) {
      report(known);`,
        replace: `    if (known !== undefined && known.state !== CommandUpdate_State.STATE_SUCCEEDED) {
      report(known);`,
      },
    ],
  },
  {
    name: "keep what a VM has held",
    edits: [
      {
        file: "server/pool/pool.ts",
        find: "this.ledger(before.host).addVm(before, -1);",
        replace: 'if (after?.state !== "DELETED") this.ledger(before.host).addVm(before, -1);',
      },
    ],
  },
  {
    name: "make a VM anew once too often",
    edits: [
      {
        file: "server/apply/letting-go.ts",
        find: "retriesUsed >= (vm.spec.retryAttempts ?? 0)",
        replace: "retriesUsed > (vm.spec.retryAttempts ?? 0)",
      },
    ],
  },
];
