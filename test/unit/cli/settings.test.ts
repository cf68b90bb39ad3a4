import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { exitCodes } from "../../../cli/exit-codes.ts";
import { settingPaths } from "../../../cli/values/setting.ts";
import { toSettingsSpec } from "../../../server/api/convert/settings.ts";
import { settingsIn } from "../../../server/pool/settings/fill.ts";
import { defaultSettings, sections } from "../../../server/pool/settings/settings.ts";
import type { UpdateSettingsRequest } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { SettingsSchema } from "../../../shared/gen/es/meridian/v1/settings_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";

const settings = create(SettingsSchema, {
  name: "settings",
  spec: { hosts: { lostAfter: durationFromMs(90_000) } },
  effective: toSettingsSpec({ ...defaultSettings, hosts: { ...defaultSettings.hosts, lostAfterMs: 90_000 } }),
});

describe("meridian pool settings", () => {
  it("shows every setting, and whether it was set", async () => {
    for (const args of [
      ["pool", "settings"],
      ["pool", "settings", "show"],
    ]) {
      const { out } = await runAgainst({ pool: { getSettings: () => ({ settings }) } }, args);
      assert.match(out, /^placement\.strategy +pack +default$/m);
      assert.match(out, /^hosts\.lost_after +1m30s +set$/m);
      assert.match(out, /^vms\.default_lease +0s +default$/m);
    }
  });

  it("knows every setting that there is", () => {
    const defined = Object.entries(sections).flatMap(([name, fields]) => settingsIn(fields, `${name}.`));
    assert.deepEqual(settingPaths().toSorted(), defined.map(({ path }) => path).toSorted());
  });

  it("prints them for programs", async () => {
    const { out } = await runAgainst({ pool: { getSettings: () => ({ settings }) } }, ["pool", "settings", "--json"]);
    assert.deepEqual(JSON.parse(out).spec, { hosts: { lostAfter: "90s" } });
  });

  it("set changes what is named, and nothing else", async () => {
    const requests: UpdateSettingsRequest[] = [];
    const script = {
      pool: {
        updateSettings: (request: UpdateSettingsRequest) => {
          requests.push(request);
          return { settings };
        },
      },
    };
    const line = ["pool", "settings", "set", "hosts.lost_after=1m30s", "placement.strategy=spread"];
    const { out } = await runAgainst(script, [...line, "placement.weights.strategy=2.5", "vms.without_lease=nobody"]);
    const [request] = requests;
    assert.deepEqual(request?.updateMask?.paths, [
      "spec.hosts.lost_after",
      "spec.placement.strategy",
      "spec.placement.weights.strategy",
      "spec.vms.without_lease",
    ]);
    const { spec } = request.settings ?? {};
    assert.deepEqual(
      [spec?.hosts?.lostAfter?.seconds, spec?.placement?.strategy, spec?.placement?.weights?.strategy],
      [90n, 2, 2.5],
    );
    assert.match(out, /^hosts\.lost_after 1m30s, set$/m);
    await runAgainst(script, ["pool", "settings", "reset", "hosts.lost_after"]);
    assert.deepEqual(requests[1]?.updateMask?.paths, ["spec.hosts.lost_after"]);
    assert.equal(requests[1].settings?.spec?.hosts, undefined);
  });

  for (const [text, said] of [
    ["placement.strategy", /PATH=VALUE/],
    ["placement.colour=red", /no setting "placement.colour"/],
    ["placement=pack", /no setting "placement"/],
    ["placement.strategy=sideways", /pack or spread/],
    ["hosts.lost_after=soon", /duration/],
    ["hosts.silent_after_periods=2.5", /whole number/],
    ["placement.weights.strategy=heavy", /number/],
  ] as const) {
    it(`refuses ${text} before it asks the server`, async () => {
      const { exitCode, err } = await runAgainst({}, ["pool", "settings", "set", text]);
      assert.equal(exitCode, exitCodes.wrongUsage);
      assert.match(err, said);
    });
  }
});
