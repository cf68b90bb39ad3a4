/** TemplateService. */
import { create } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import { type Template, TemplateSpecSchema } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import {
  type CreateTemplateRequest,
  type PrefetchTemplateRequest,
  TemplateService,
  type UpdateTemplateRequest,
} from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { asTemplateId } from "../../../shared/ids.ts";
import type { TemplateJudge } from "../../pool/events/templates.ts";
import type { TemplateRecord } from "../../pool/template.ts";
import { answerRecord, getRecord, getResource } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readTemplateSpec, toTemplateSpec } from "../convert/template.ts";
import { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, prefetchHostsMax } from "../limits.ts";
import { listResources } from "../list/list.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { templateKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { SharedAnswers } from "../rpc/shared-answers.ts";
import { applyUpdateMask } from "../update-mask.ts";
import { type WatchEvent, Watches } from "../watch.ts";

export function templateService(context: ApiContext): ServiceBinding {
  const answer = async (record: Promise<TemplateRecord>): Promise<{ readonly template: Template }> => ({
    template: await answerRecord(context, templateKind, await record),
  });
  const watches = new Watches(context, templateKind);
  const told = new SharedAnswers(({ type, resource, revision }: WatchEvent<Template>) => ({
    type,
    revision,
    ...(resource === undefined ? {} : { template: resource }),
  }));
  return bindService(TemplateService, {
    createTemplate: async (request) => answer(createTemplate(context, request)),
    getTemplate: async (request) => ({ template: await getResource(context, templateKind, request.name) }),
    listTemplates: async (request) => {
      const { resources, ...page } = await listResources(context, templateKind, request);
      return { templates: resources, ...page };
    },
    async *watchTemplates(request, call) {
      for await (const event of watches.watch({ ...request, signal: call.signal })) yield told.of(event);
    },
    updateTemplate: async (request) => answer(updateTemplate(context, request)),
    deleteTemplate: async (request) => {
      const id = idOfName("templates", request.name);
      const etag = readEtag(request.etag);
      await context.engine.submit({ type: "template-delete", id, ...(etag === undefined ? {} : { etag }) });
      return {};
    },
    taintTemplate: async (request, { caller: { principal: by } }) =>
      answer(judgeTemplate(context, request, { by, state: "TAINTED", reason: request.reason })),
    revokeTemplate: async (request, { caller: { principal: by } }) => {
      const stops = request.stopRunning ? ({ stopsRunning: true } as const) : {};
      const purges = request.purgeImages ? ({ purgesImages: true } as const) : {};
      const { reason } = request;
      return answer(judgeTemplate(context, request, { by, state: "REVOKED", reason, ...stops, ...purges }));
    },
    prefetchTemplate: async (request) => answer(prefetchTemplate(context, request)),
    restoreTemplate: async (request, { caller: { principal: by } }) =>
      answer(judgeTemplate(context, request, { by, state: "ACTIVE", reason: "" })),
  });
}

type Judgement = Pick<TemplateJudge, "state" | "reason" | "stopsRunning" | "purgesImages">;

function judgeTemplate(
  context: ApiContext,
  { name, etag: askedEtag }: { readonly name: string; readonly etag: string },
  { by, ...judgement }: Judgement & { readonly by: string },
): Promise<TemplateRecord> {
  const id = idOfName("templates", name);
  const etag = readEtag(askedEtag);
  if (judgement.state !== "ACTIVE") {
    const checks = new FieldChecks();
    checks.text("reason", judgement.reason, { lengthMax: descriptionLengthMax });
    checks.finish();
  }
  return context.engine.submit({
    type: "template-judge",
    id,
    by,
    ...judgement,
    ...(etag === undefined ? {} : { etag }),
  });
}

function prefetchTemplate(context: ApiContext, request: PrefetchTemplateRequest): Promise<TemplateRecord> {
  const id = idOfName("templates", request.name);
  const etag = readEtag(request.etag);
  const checks = new FieldChecks();
  checks.count("hosts", request.hosts.length, prefetchHostsMax);
  checks.finish();
  const hosts = request.hosts.map((name, index) => idOfName("hosts", name, `hosts[${index}]`));
  const uid = context.ids.uid();
  return context.engine.submit({ type: "template-prefetch", id, uid, hosts, ...(etag === undefined ? {} : { etag }) });
}

async function createTemplate(context: ApiContext, request: CreateTemplateRequest): Promise<TemplateRecord> {
  const requestId = readRequestId(request.requestId);
  const { templateId } = request;
  const id =
    templateId === ""
      ? asTemplateId(`template-${context.ids.suffix(10)}`)
      : chosenId("templates", templateId, "template_id");
  if (request.template?.spec === undefined) throw fieldInvalid("template.spec", "must be set");
  const checks = new FieldChecks();
  const spec = readTemplateSpec(checks, { path: "template.spec", value: request.template.spec });
  checks.finish();
  const key = requestKeyOf("CreateTemplate", requestId, { templateId, spec });
  return context.engine.submit({ type: "template-create", id, uid: context.ids.uid(), spec, ...key });
}

function updateTemplate(context: ApiContext, request: UpdateTemplateRequest): Promise<TemplateRecord> {
  const { template: wanted, updateMask: mask } = request;
  const id = idOfName("templates", wanted?.name ?? "", "template.name");
  const etag = readEtag(wanted?.etag ?? "", "template.etag");
  return changeUntilDone(etag, async () => {
    const template = await getRecord(context, templateKind, id);
    const current = create(TemplateSpecSchema, toTemplateSpec(template.spec));
    const message = applyUpdateMask({
      path: "template.spec",
      schema: TemplateSpecSchema,
      current,
      wanted: wanted?.spec,
      mask,
    });
    const checks = new FieldChecks();
    const spec = readTemplateSpec(checks, { path: "template.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "template-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: template.generation,
      spec,
    });
  });
}
