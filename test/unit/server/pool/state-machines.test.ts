import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { commandMoves, commandTriggers, nextCommandState } from "../../../../server/pool/command-machine.ts";
import { hostStates } from "../../../../server/pool/host.ts";
import { hostMoves, hostTriggers, nextHostState } from "../../../../server/pool/host-machine.ts";
import { commandStates, vmStates } from "../../../../server/pool/vm.ts";
import { nextVmState, vmMoves, vmTriggers } from "../../../../server/pool/vm-machine.ts";
import { AssertionFailed } from "../../../../shared/assert.ts";

interface Machine {
  readonly title: string;
  readonly states: readonly string[];
  readonly triggers: readonly string[];
  readonly moves: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly first: string;
}

const machines: readonly Machine[] = [
  { title: "A VM", states: vmStates, triggers: vmTriggers, moves: vmMoves, first: "PENDING" },
  { title: "The contact with a host", states: hostStates, triggers: hostTriggers, moves: hostMoves, first: "ENROLLED" },
  { title: "A command", states: commandStates, triggers: commandTriggers, moves: commandMoves, first: "SENT" },
];

const page = readFileSync(new URL("../../../../docs/state-machines.md", import.meta.url), "utf8");

/** The moves that the drawing under a title shows, as `FROM trigger TO`, and the state that it begins with. */
function readDrawing(title: string): { readonly moves: readonly string[]; readonly first: string | undefined } {
  const section = page.split(`## ${title}\n`)[1] ?? assert.fail(`no section "${title}"`);
  const drawing =
    /```mermaid\nstateDiagram-v2\n([^`]*)```/.exec(section)?.[1] ?? assert.fail(`no drawing of "${title}"`);
  const moves: string[] = [];
  let first: string | undefined;
  for (const line of drawing.trimEnd().split("\n")) {
    const arrow = /^ {4}(\S+) --> (\S+?)(?:: (.+))?$/.exec(line) ?? assert.fail(`cannot read "${line}"`);
    const [, from, to, labels] = arrow;
    if (from === "[*]") first = to;
    else if (to !== "[*]") for (const label of (labels ?? "").split(", ")) moves.push(`${from} ${label} ${to}`);
  }
  return { moves: moves.sort(), first };
}

function tableMoves({ moves, states }: Machine): readonly string[] {
  return Object.entries(moves)
    .flatMap(([from, row]) =>
      Object.entries(row).flatMap(([trigger, to]) => (states.includes(to) ? [`${from} ${trigger} ${to}`] : [])),
    )
    .sort();
}

function reachable(machine: Machine, start: string): ReadonlySet<string> {
  const reached = new Set([start]);
  for (const from of reached) {
    for (const to of Object.values(machine.moves[from] ?? {})) if (machine.states.includes(to)) reached.add(to);
  }
  return reached;
}

for (const machine of machines) {
  describe(`the table of moves: ${machine.title}`, () => {
    it("has an entry for every pair of a state and a trigger, and no others", () => {
      assert.deepEqual(Object.keys(machine.moves).sort(), [...machine.states].sort());
      for (const state of machine.states) {
        assert.deepEqual(Object.keys(machine.moves[state] ?? {}).sort(), [...machine.triggers].sort(), state);
      }
    });

    it("leads only to its own states", () => {
      const allowed = [...machine.states, "ignored", "impossible"];
      for (const row of Object.values(machine.moves)) {
        for (const to of Object.values(row)) assert.ok(allowed.includes(to), to);
      }
    });

    it("says of a trigger that changes nothing that it is ignored, not that it leads to the same state", () => {
      for (const [from, row] of Object.entries(machine.moves)) assert.ok(!Object.values(row).includes(from), from);
    });

    it("reaches every state from the first", () => {
      assert.deepEqual([...reachable(machine, machine.first)].sort(), [...machine.states].sort());
    });

    it("is the one that is drawn, move by move", () => {
      const drawing = readDrawing(machine.title);
      assert.deepEqual(drawing.moves, tableMoves(machine));
      assert.equal(drawing.first, machine.first);
    });
  });
}

describe("the moves of a VM", () => {
  const [machine] = machines;
  assert.ok(machine !== undefined);

  it("never lead out of DELETED", () => {
    assert.deepEqual([...reachable(machine, "DELETED")], ["DELETED"]);
  });

  it("lead from every other state to DELETED", () => {
    for (const state of vmStates) assert.ok(reachable(machine, state).has("DELETED"), state);
  });

  it("take what a host shows or loses in every state", () => {
    for (const state of vmStates) {
      for (const trigger of [
        "seen-running",
        "seen-stopped",
        "seen-suspended",
        "seen-paused",
        "gone",
        "host-silent",
      ] as const) {
        assert.notEqual(vmMoves[state][trigger], "impossible", `${state}, ${trigger}`);
      }
    }
  });

  it("are as the table says, and an assertion where it says impossible", () => {
    for (const state of vmStates) {
      for (const trigger of vmTriggers) {
        const move = vmMoves[state][trigger];
        if (move === "impossible") assert.throws(() => nextVmState(state, trigger), AssertionFailed);
        else assert.equal(nextVmState(state, trigger), move === "ignored" ? undefined : move);
      }
    }
  });
});

describe("the moves of a host", () => {
  it("are as the table says", () => {
    assert.equal(nextHostState("LOST", "connected"), "READY");
    assert.equal(nextHostState("READY", "connected"), undefined);
  });
});

describe("the moves of a command", () => {
  it("only lead forward", () => {
    for (const [from, row] of Object.entries(commandMoves)) {
      for (const to of Object.values(row)) {
        if (to === "ignored") continue;
        assert.ok(
          commandStates.indexOf(to) > commandStates.indexOf(from as (typeof commandStates)[number]),
          `${from} ${to}`,
        );
      }
    }
  });

  it("lead nowhere from an end", () => {
    for (const state of ["SUCCEEDED", "FAILED", "REFUSED"] as const) {
      for (const report of commandTriggers) assert.equal(nextCommandState(state, report), undefined);
    }
  });

  it("take a refusal for a failure once the command was taken on", () => {
    assert.equal(nextCommandState("SENT", "REFUSED"), "REFUSED");
    assert.equal(nextCommandState("ACCEPTED", "REFUSED"), "FAILED");
  });
});
