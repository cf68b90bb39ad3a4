import assert from "node:assert/strict";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { PoolService } from "../../../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { PlacementSettings_Strategy as Strategy } from "../../../../../shared/gen/es/meridian/v1/settings_pb.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

let api: ServedApi;
beforeEach(async () => {
  api = await ServedApi.open();
});
afterEach(() => api.close());

const pool = (front: (typeof fronts)[number] = "grpc"): ReturnType<typeof api.client<typeof PoolService>> =>
  api.client(PoolService, front);

describe("settings of the pool", () => {
  it("are all at their defaults where nothing was set", async () => {
    const { settings } = await pool().getSettings({});
    assert.equal(settings?.name, "settings");
    assert.equal(settings.spec?.placement, undefined);
    assert.equal(settings.effective?.placement?.strategy, Strategy.PACK);
    assert.equal(settings.effective.placement.weights?.templatePresent, 100);
    assert.equal(settings.effective.hosts?.lostAfter && durationMs(settings.effective.hosts.lostAfter), 900_000);
    assert.equal(settings.generation, 0n);
    assert.equal(settings.createTime, undefined);
    assert.notEqual(settings.etag, "");
  });

  for (const front of fronts) {
    it(`are changed where the mask says, and nowhere else, by ${front}`, async () => {
      await pool(front).updateSettings({ settings: { spec: { hosts: { lostAfter: durationFromMs(60_000) } } } });
      const { settings } = await pool(front).updateSettings({
        settings: { spec: { placement: { strategy: Strategy.SPREAD, weights: { strategy: 5, spreadKey: 6 } } } },
        updateMask: { paths: ["spec.placement.strategy", "spec.placement.weights.strategy"] },
      });
      assert.equal(settings?.spec?.placement?.strategy, Strategy.SPREAD);
      assert.equal(settings.spec.placement.weights?.strategy, 5);
      assert.equal(settings.spec.placement.weights.spreadKey, undefined);
      assert.equal(settings.spec.hosts?.lostAfter?.seconds, 60n);
      assert.equal(settings.effective?.placement?.weights?.spreadKey, 30);
      assert.equal(settings.generation, 2n);
    });
  }

  it("have their defaults again when the mask names them and the request leaves them out", async () => {
    await pool().updateSettings({ settings: { spec: { placement: { weights: { strategy: 5 } } } } });
    const updateMask = { paths: ["spec.placement.weights.strategy"] };
    const { settings } = await pool().updateSettings({ settings: { spec: {} }, updateMask });
    assert.equal(settings?.effective?.placement?.weights?.strategy, 10);
    assert.deepEqual(api.driver.view().settingsRecord?.spec, {}, "what is not set is not stored");
  });

  it("are refused out of their range, all faults at once, and nothing is changed", async () => {
    const spec = {
      placement: { weights: { strategy: -1 } },
      hosts: { silentAfterPeriods: 1, lostAfter: durationFromMs(1) },
    };
    const { message, fields } = await refused(pool().updateSettings({ settings: { spec } }), "FIELD_INVALID");
    assert.deepEqual(fields, [
      "settings.spec.placement.weights.strategy",
      "settings.spec.hosts.silent_after_periods",
      "settings.spec.hosts.lost_after",
    ]);
    assert.match(message, /must be from 0 to 10000, not -1/);
    assert.equal((await pool().getSettings({})).settings?.generation, 0n);
  });

  it("are refused with words that do not exist, and with those that say nothing", async () => {
    for (const strategy of [9 as Strategy, Strategy.UNSPECIFIED]) {
      const call = pool().updateSettings({ settings: { spec: { placement: { strategy } } } });
      const { fields } = await refused(call, "FIELD_INVALID");
      assert.deepEqual(fields, ["settings.spec.placement.strategy"]);
    }
    const updateMask = { paths: ["spec.placement.absent"] };
    await refused(pool().updateSettings({ settings: { spec: {} }, updateMask }), "EXPRESSION_INVALID");
  });

  it("are refused with an etag that is not theirs any more, also that of settings that were never set", async () => {
    const first = (await pool().getSettings({})).settings?.etag ?? assert.fail();
    const settings = { etag: first, spec: { placement: { strategy: Strategy.SPREAD } } };
    const changed = await pool().updateSettings({ settings });
    assert.notEqual(changed.settings?.etag, first);
    await refused(pool().updateSettings({ settings }), "ETAG_MISMATCH");
  });
});
