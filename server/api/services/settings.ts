/** GetSettings and UpdateSettings. */
import { create } from "@bufbuild/protobuf";
import type { UpdateSettingsRequest } from "../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { type Settings, SettingsSpecSchema } from "../../../shared/gen/es/meridian/v1/settings_pb.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readSettingsSpec, toSettings, toSettingsSpec } from "../convert/settings.ts";
import { FieldChecks } from "../field-checks.ts";
import { applyUpdateMask } from "../update-mask.ts";

export function getSettings({ engine }: ApiContext): Promise<Settings> {
  return engine.read(toSettings);
}

export async function updateSettings(context: ApiContext, request: UpdateSettingsRequest): Promise<Settings> {
  const { settings: wanted, updateMask: mask } = request;
  const etag = readEtag(wanted?.etag ?? "", "settings.etag");
  await changeUntilDone(etag, async () => {
    const record = await context.engine.read((view) => view.settingsRecord);
    const current = record === undefined ? create(SettingsSpecSchema) : toSettingsSpec(record.spec);
    const message = applyUpdateMask({
      path: "settings.spec",
      schema: SettingsSpecSchema,
      current,
      wanted: wanted?.spec,
      mask,
    });
    const checks = new FieldChecks();
    const spec = readSettingsSpec(checks, { path: "settings.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "settings-update",
      uid: context.ids.uid(),
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: record?.generation ?? 0,
      spec,
    });
  });
  return getSettings(context);
}
