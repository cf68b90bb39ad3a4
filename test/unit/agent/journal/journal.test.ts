import assert from "node:assert/strict";
import { createCommandMemory } from "../../../../agent/commands/command-memory.ts";
import { updateOf } from "../../../../agent/commands/command-update.ts";
import { JournalFailed, JournalRefused } from "../../../../agent/journal/journal-errors.ts";
import type { LeaseRecord } from "../../../../agent/journal/journal-record.ts";
import { JournalState } from "../../../../agent/journal/journal-state.ts";
import { type Command, CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { commandOf, createByClone, createFromCatalog, poolVmName, poolVmUid } from "../../../support/agent/commands.ts";
import { FakeClock } from "../../../support/agent/fake-clock.ts";
import { SimulatedDisk } from "../../../support/agent/simulated-disk.ts";

const { STATE_ACCEPTED, STATE_RUNNING, STATE_SUCCEEDED } = CommandUpdate_State;

const lease: LeaseRecord = {
  kind: "lease",
  hostVmName: poolVmName,
  vmUid: poolVmUid,
  hostVmId: "vm-1",
  generation: 2,
  endsAtMs: 1_000.5,
  bootId: "boot-1",
  phase: "counting",
};

describe("the journal", () => {
  let disk: SimulatedDisk;

  beforeEach(() => {
    disk = new SimulatedDisk();
  });

  async function accept(command: Command): Promise<void> {
    await createCommandMemory(await disk.journal()).accept(command, updateOf(command, STATE_ACCEPTED));
  }

  it("gives a later run everything that an earlier one was told is written", async () => {
    const memory = createCommandMemory(await disk.journal());
    const ended = commandOf(createByClone("golden"), { generation: 3 });
    const open = commandOf(createFromCatalog(), { generation: 4 });
    for (const command of [ended, open]) await memory.accept(command, updateOf(command, STATE_ACCEPTED));
    await memory.recordEnd(updateOf(ended, STATE_SUCCEEDED), () => undefined);
    await memory.begin(open.id, "copied");
    memory.noteEpoch(7);
    await memory.begin(open.id, "copied");
    const journal = await disk.journal();
    const later = createCommandMemory(journal);
    assert.equal(later.find(ended.id)?.state, STATE_SUCCEEDED);
    assert.deepEqual(later.open(), [{ command: open, step: "copied" }]);
    assert.deepEqual(
      later.unsettled().map(({ commandId }) => commandId),
      [ended.id, open.id],
    );
    assert.equal(later.generationOf(poolVmUid), 4);
    assert.equal(later.epoch, 7);
  });

  it("has the same to tell after it was written anew", async () => {
    const journal = await disk.journal();
    const command = commandOf(createByClone("golden"));
    const memory = createCommandMemory(journal);
    await memory.accept(command, updateOf(command, STATE_ACCEPTED));
    await memory.recordEnd(updateOf(command, STATE_SUCCEEDED), () => undefined);
    memory.acknowledge(command.id);
    const other = commandOf(createByClone("golden"));
    await memory.accept(other, updateOf(other, STATE_ACCEPTED));
    await journal.write(lease, { kind: "moment", bootId: "boot-1", atMs: 5, wallMs: 6 });
    const again = new JournalState();
    for (const record of journal.state.snapshot()) again.apply(record);
    assert.deepEqual(again.snapshot(), journal.state.snapshot());
    const { state } = await (await disk.journal(), disk.journal());
    assert.deepEqual(state.snapshot(), journal.state.snapshot());
    assert.deepEqual(state.leases.get(poolVmName), lease);
  });

  it("does not say that something is written before it is", async () => {
    const journal = await disk.journal();
    const gate = Promise.withResolvers<void>();
    disk.gate = gate.promise;
    let isWritten = false;
    const writing = journal.write({ kind: "epoch", epoch: 1 }).then(() => {
      isWritten = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isWritten, false);
    assert.equal((await new SimulatedDisk().journal()).state.epoch, 0);
    gate.resolve();
    await writing;
    assert.equal((await disk.journal()).state.epoch, 1);
  });

  it("writes what comes together together", async () => {
    const journal = await disk.journal();
    const before = disk.appendCount;
    await Promise.all([1, 2, 3].map((epoch) => journal.write({ kind: "epoch", epoch })));
    assert.equal(disk.appendCount, before + 1);
  });

  it("cuts off an end that was not finished, wherever it was torn", async () => {
    await (await disk.journal()).write({ kind: "epoch", epoch: 1 });
    const sound = disk.bytes ?? Buffer.alloc(0);
    await (await disk.journal()).write({ kind: "epoch", epoch: 1 });
    disk.bytes = sound;
    const journal = await disk.journal();
    const whole = disk.bytes ?? Buffer.alloc(0);
    await journal.write({ kind: "epoch", epoch: 2 });
    const longer: Buffer = disk.bytes ?? Buffer.alloc(0);
    for (let length = whole.length; length < longer.length; length += 1) {
      disk.bytes = longer.subarray(0, length);
      assert.equal((await disk.journal()).state.epoch, 1, `cut at ${length}`);
      assert.equal(disk.aside.length, 0);
    }
    disk.bytes = longer;
    assert.equal((await disk.journal()).state.epoch, 2);
  });

  it("sets a damaged file aside, whichever byte of what was durable is altered, and begins anew", async () => {
    const journal = await disk.journal();
    await journal.write({ kind: "epoch", epoch: 1 });
    const soundLength = disk.bytes?.length ?? 0;
    await journal.write({ kind: "epoch", epoch: 2 });
    const sound = Buffer.from(disk.bytes ?? []);
    // Without the break between them the last two lines are one, and look like a write that was not finished.
    for (let place = 0; place < soundLength - 1; place += 1) {
      const damaged = new SimulatedDisk();
      damaged.bytes = Buffer.from(sound);
      damaged.bytes[place] = (damaged.bytes[place] ?? 0) ^ 0x01;
      const { state } = await damaged.journal();
      assert.equal(state.epoch, 0, `altered at ${place}`);
      assert.equal(damaged.aside.length, 1);
      assert.equal((await damaged.journal()).state.epoch, 0);
      assert.equal(damaged.aside.length, 1);
    }
  });

  it("notices a line that is missing, an empty file and a foreign one", async () => {
    const journal = await disk.journal();
    for (const epoch of [1, 2, 3]) await journal.write({ kind: "epoch", epoch });
    const lines = (disk.bytes ?? Buffer.alloc(0)).toString().split("\n");
    lines.splice(2, 1);
    for (const text of [lines.join("\n"), "", "hello\nworld\n"]) {
      const damaged = new SimulatedDisk();
      damaged.bytes = Buffer.from(text);
      await damaged.journal();
      assert.equal(damaged.aside.length, 1, JSON.stringify(text));
    }
  });

  it("is not touched by an agent that is too old for it", async () => {
    const { encodeWrite } = await import("../../../../agent/journal/journal-lines.ts");
    const { crc32 } = await import("node:zlib");
    const header = JSON.stringify({ n: 0, format: "meridian-agent-journal", version: 2 });
    const line = `${crc32(header).toString(16).padStart(8, "0")} ${header}\n`;
    disk.bytes = Buffer.concat([Buffer.from(line), encodeWrite(1, [])]);
    await assert.rejects(disk.journal(), JournalRefused);
    assert.equal(disk.aside.length + disk.replaceCount, 0);
  });

  it("ignores a kind of record that only a newer agent knows", async () => {
    const journal = await disk.journal();
    // The wire is what a newer agent would have written.
    await journal.write({ kind: "epoch", epoch: 1 });
    const { encodeWrite } = await import("../../../../agent/journal/journal-lines.ts");
    const future = { kind: "future" } as unknown as LeaseRecord;
    disk.bytes = Buffer.concat([disk.bytes ?? Buffer.alloc(0), encodeWrite(3, [future, { kind: "epoch", epoch: 2 }])]);
    assert.equal((await disk.journal()).state.epoch, 2);
  });

  it("takes nothing on while it cannot be written, and makes good for it when it can", async () => {
    const clock = new FakeClock();
    const journal = await disk.journal({ clock });
    const memory = createCommandMemory(journal);
    disk.isFull = true;
    const command = commandOf(createByClone("golden"));
    await assert.rejects(memory.accept(command, updateOf(command, STATE_ACCEPTED)), JournalFailed);
    assert.equal(memory.find(command.id), undefined);
    assert.deepEqual(memory.open(), []);
    await assert.rejects(journal.write({ kind: "epoch", epoch: 5 }), JournalFailed);
    disk.isFull = false;
    await clock.advance(10_000);
    const later = await disk.journal();
    assert.equal(later.state.epoch, 5);
    assert.equal(later.state.find(command.id), undefined);
  });

  it("does not append to a line that was torn in a running agent", async () => {
    const journal = await disk.journal();
    disk.tearAfterBytes = 5;
    await assert.rejects(journal.write({ kind: "epoch", epoch: 1 }), JournalFailed);
    await journal.write({ kind: "epoch", epoch: 2 });
    await journal.write({ kind: "epoch", epoch: 3 });
    assert.equal((await disk.journal()).state.epoch, 3);
    assert.equal(disk.aside.length, 0);
  });

  it("can be opened on a full disk, so that leases are kept there too", async () => {
    await (await disk.journal()).write(lease);
    disk.isFull = true;
    const journal = await disk.journal({ clock: new FakeClock() });
    assert.deepEqual([...journal.state.leases.values()], [lease]);
  });

  it("stays small over many commands, and keeps no secret of those that have ended", async () => {
    const memory = createCommandMemory(await disk.journal());
    for (let count = 0; count < 3_000; count += 1) {
      const command = commandOf(createByClone("golden"));
      await memory.accept(command, updateOf(command, STATE_ACCEPTED));
      await memory.record({
        ...updateOf(command, STATE_RUNNING),
        progress: { step: "clone", percent: 0, etaMs: 0, message: "" },
      });
      await memory.recordEnd(updateOf(command, STATE_SUCCEEDED), () => undefined);
      memory.acknowledge(command.id);
    }
    assert((disk.bytes?.length ?? 0) < 700_000, `${disk.bytes?.length} bytes`);
    const secret = commandOf(createFromCatalog());
    await memory.accept(secret, updateOf(secret, STATE_ACCEPTED));
    const isWritten = (): boolean =>
      (disk.bytes ?? Buffer.alloc(0))
        .toString()
        .includes(Buffer.from("https://catalog.example").toString("base64").slice(4, 20));
    const bytesWithSecret = disk.bytes?.length ?? 0;
    await memory.recordEnd(updateOf(secret, STATE_SUCCEEDED), () => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isWritten(), false);
    assert((disk.bytes?.length ?? 0) < bytesWithSecret);
    await accept(commandOf(createByClone("golden")));
  });

  it("writes mere figures of progress only with the next step", async () => {
    const memory = createCommandMemory(await disk.journal());
    const command = commandOf(createByClone("golden"));
    await memory.accept(command, updateOf(command, STATE_ACCEPTED));
    const at = (step: string, percent: number) => ({
      ...updateOf(command, STATE_RUNNING),
      progress: { step, percent, etaMs: 0, message: "" },
    });
    await memory.record(at("download", 1));
    const before = disk.appendCount;
    for (let percent = 2; percent < 50; percent += 1) await memory.record(at("download", percent));
    assert.equal(disk.appendCount, before);
    assert.equal(memory.find(command.id)?.progress?.percent, 49);
    await memory.record(at("unpack", 0));
    assert.equal((await disk.journal()).state.find(command.id)?.progress?.step, "unpack");
  });

  it("refuses what is written after it was closed", async () => {
    const journal = await disk.journal();
    await journal.close();
    await journal.close();
    await assert.rejects(journal.write({ kind: "epoch", epoch: 9 }), JournalFailed);
  });
});

describe("the journal's state", () => {
  it("forgets the oldest of the commands that are settled, and none that is not", () => {
    const state = new JournalState({ settledMax: 2, generationsMax: 2 });
    const commands = ["a", "b", "c", "d"].map((id) => commandOf(undefined, { id }));
    for (const command of commands) state.apply({ kind: "update", update: updateOf(command, STATE_SUCCEEDED) });
    for (const commandId of ["a", "b", "c"]) state.apply({ kind: "settled", commandId });
    assert.equal(state.find("a"), undefined);
    assert.equal(state.find("b")?.commandId, "b");
    assert.deepEqual([...state.unsettled.keys()], ["d"]);
  });

  it("does not settle a command that has not ended", () => {
    const state = new JournalState();
    const command = commandOf(undefined, { id: "a" });
    state.apply({ kind: "update", update: updateOf(command, STATE_ACCEPTED) });
    state.apply({ kind: "settled", commandId: "a" });
    assert.equal(state.unsettled.size, 1);
  });

  it("remembers the highest generation of a VM and the highest epoch", () => {
    const state = new JournalState();
    for (const generation of [3, 2]) state.apply({ kind: "generation", vmUid: "vm", generation });
    for (const epoch of [3, 2]) state.apply({ kind: "epoch", epoch });
    assert.equal(state.generationOf("vm"), 3);
    assert.equal(state.epoch, 3);
  });
});
