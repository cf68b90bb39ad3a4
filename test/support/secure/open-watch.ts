/** A watch that is under way, for tests of what ends one. */
import assert from "node:assert/strict";
import { createClient, type Transport } from "@connectrpc/connect";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { refusalOf } from "../server/served-api.ts";

/** What golden VM a template of these tests is cloned from. */
export const goldenSpec = {
  source: { case: "hostVm", value: { vmName: "golden" } },
  guestOs: GuestOs.LINUX,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 1, memoryMib: 1024, diskMib: 8192 },
} as const;

/**
 * A watch of templates that has told of something; the reason of its end, once it ends.
 * @param operator makes what is told of.
 */
export async function openWatch(
  transport: Transport,
  operator: Transport,
): Promise<{ readonly ended: Promise<string> }> {
  const templates = createClient(TemplateService, transport);
  const { revision } = await templates.listTemplates({});
  await createClient(TemplateService, operator).createTemplate({ template: { spec: goldenSpec } });
  const changes = templates.watchTemplates({ fromRevision: revision }, { timeoutMs: 0 })[Symbol.asyncIterator]();
  assert.notEqual((await changes.next()).done, true);
  const ended = (async () => {
    try {
      while ((await changes.next()).done !== true);
      return "it ended";
    } catch (error) {
      return refusalOf(error).reason;
    }
  })();
  return { ended };
}
