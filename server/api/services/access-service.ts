/** AccessService: projects, what lets Macs and programs in, and the pool's CA. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import {
  AccessService,
  type CreateProjectRequest,
  type UpdateProjectRequest,
  type WhoAmIResponseSchema,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { type Project, ProjectSpecSchema } from "../../../shared/gen/es/meridian/v1/project_pb.ts";
import { asProjectId } from "../../../shared/ids.ts";
import { type Caller, canSeeProject } from "../../access/caller.ts";
import type { ProjectRecord } from "../../pool/project.ts";
import { answerRecord, getRecord, getResource } from "../answer.ts";
import { changeUntilDone, readEtag } from "../change-loop.ts";
import type { ApiContext } from "../context.ts";
import { readProjectSpec, toProject, toProjectSpec } from "../convert/project.ts";
import { toSecretsKey } from "../convert/secrets-key.ts";
import { toRoleBinding } from "../convert/service-account.ts";
import { toTimestamp } from "../convert/time.ts";
import { FieldChecks } from "../field-checks.ts";
import { listResources } from "../list/list.ts";
import { readRequestId, requestKeyOf } from "../request-key.ts";
import { issuerKind, joinTokenKind, projectKind, serviceAccountKind, tokenKind } from "../resource-kind.ts";
import { chosenId, idOfName } from "../resource-name.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { applyUpdateMask } from "../update-mask.ts";
import { finishRotation, getAuthority, rotateAuthority } from "./certificate-authority.ts";
import { createIssuer, deleteIssuer, explainIssuer, updateIssuer } from "./issuers.ts";
import { createJoinToken, deleteJoinToken, revokeJoinToken } from "./join-tokens.ts";
import { createServiceAccount, deleteServiceAccount, updateServiceAccount } from "./service-accounts.ts";
import { createToken, revokeToken } from "./tokens.ts";

export function accessService(context: ApiContext): ServiceBinding {
  const answer = async (changed: Promise<ProjectRecord>): Promise<{ readonly project: Project }> => {
    const record = await changed;
    return { project: await context.engine.read((view) => toProject(record, view.projectLedger(record.id))) };
  };
  return bindService(AccessService, {
    createProject: async (request) => answer(createProject(context, request)),
    getProject: async (request) => ({ project: await getResource(context, projectKind, request.name) }),
    listProjects: async (request, { caller }) => {
      const isVisible = ({ id }: ProjectRecord): boolean => canSeeProject(caller, id);
      const { resources, ...page } = await listResources(context, projectKind, { ...request, isVisible });
      return { projects: resources, ...page };
    },
    updateProject: async (request) => answer(updateProject(context, request)),
    deleteProject: async (request) => {
      const id = idOfName("projects", request.name);
      const etag = readEtag(request.etag);
      await context.engine.submit({ type: "project-delete", id, ...(etag === undefined ? {} : { etag }) });
      return {};
    },
    createJoinToken: (request) => createJoinToken(context, request),
    getJoinToken: async (request) => ({ joinToken: await getResource(context, joinTokenKind, request.name) }),
    listJoinTokens: async (request) => {
      const { resources, ...page } = await listResources(context, joinTokenKind, request);
      return { joinTokens: resources, ...page };
    },
    revokeJoinToken: async (request) => ({
      joinToken: await answerRecord(context, joinTokenKind, await revokeJoinToken(context, request)),
    }),
    deleteJoinToken: async (request) => {
      await deleteJoinToken(context, request);
      return {};
    },
    createServiceAccount: async (request) => ({
      serviceAccount: await answerRecord(context, serviceAccountKind, await createServiceAccount(context, request)),
    }),
    getServiceAccount: async (request) => ({
      serviceAccount: await getResource(context, serviceAccountKind, request.name),
    }),
    listServiceAccounts: async (request) => {
      const { resources, ...page } = await listResources(context, serviceAccountKind, request);
      return { serviceAccounts: resources, ...page };
    },
    updateServiceAccount: async (request) => ({
      serviceAccount: await answerRecord(context, serviceAccountKind, await updateServiceAccount(context, request)),
    }),
    deleteServiceAccount: async (request) => {
      await deleteServiceAccount(context, request);
      return {};
    },
    createToken: (request) => createToken(context, request),
    listTokens: async (request) => {
      const { resources, ...page } = await listResources(context, tokenKind, request);
      return { tokens: resources, ...page };
    },
    revokeToken: async (request) => {
      await revokeToken(context, request);
      return {};
    },
    createIssuer: async (request) => ({
      issuer: await answerRecord(context, issuerKind, await createIssuer(context, request)),
    }),
    getIssuer: async (request) => ({ issuer: await getResource(context, issuerKind, request.name) }),
    listIssuers: async (request) => {
      const { resources, ...page } = await listResources(context, issuerKind, request);
      return { issuers: resources, ...page };
    },
    updateIssuer: async (request) => ({
      issuer: await answerRecord(context, issuerKind, await updateIssuer(context, request)),
    }),
    deleteIssuer: async (request) => {
      await deleteIssuer(context, request);
      return {};
    },
    explainIssuer: (request) => explainIssuer(context, request),
    whoAmI: (_request, { caller }) => Promise.resolve(describeCaller(caller)),
    getSecretsKey: async () => ({ secretsKey: toSecretsKey(await context.secrets.status()) }),
    rotateSecretsKey: async () => ({ secretsKey: toSecretsKey(await context.secrets.rotate()) }),
    getCertificateAuthority: async () => ({ certificateAuthority: await getAuthority(context) }),
    rotateCertificateAuthority: async () => ({ certificateAuthority: await rotateAuthority(context) }),
    finishCertificateAuthorityRotation: async ({ force }) => ({
      certificateAuthority: await finishRotation(context, force),
    }),
  });
}

async function createProject(context: ApiContext, request: CreateProjectRequest): Promise<ProjectRecord> {
  const requestId = readRequestId(request.requestId);
  const { projectId } = request;
  const id =
    projectId === "" ? asProjectId(`project-${context.ids.suffix(10)}`) : chosenId("projects", projectId, "project_id");
  if (request.project?.spec === undefined) throw fieldInvalid("project.spec", "must be set");
  const checks = new FieldChecks();
  const spec = readProjectSpec(checks, { path: "project.spec", value: request.project.spec });
  checks.finish();
  const key = requestKeyOf("CreateProject", requestId, { projectId, spec });
  return context.engine.submit({ type: "project-create", id, uid: context.ids.uid(), spec, ...key });
}

function updateProject(context: ApiContext, request: UpdateProjectRequest): Promise<ProjectRecord> {
  const { project: wanted, updateMask: mask } = request;
  const id = idOfName("projects", wanted?.name ?? "", "project.name");
  const etag = readEtag(wanted?.etag ?? "", "project.etag");
  return changeUntilDone(etag, async () => {
    const project = await getRecord(context, projectKind, id);
    const message = applyUpdateMask({
      path: "project.spec",
      schema: ProjectSpecSchema,
      current: create(ProjectSpecSchema, toProjectSpec(project.spec)),
      wanted: wanted?.spec,
      mask,
    });
    const checks = new FieldChecks();
    const spec = readProjectSpec(checks, { path: "project.spec", value: message });
    checks.finish();
    return context.engine.submit({
      type: "project-update",
      id,
      ...(etag === undefined ? {} : { etag }),
      baseGeneration: project.generation,
      spec,
    });
  });
}

function describeCaller(caller: Caller): MessageInitShape<typeof WhoAmIResponseSchema> {
  const { principal, authentication, address, bindings, expireTimeMs } = caller;
  return {
    principal,
    authentication,
    address,
    bindings: bindings.map(toRoleBinding),
    ...(expireTimeMs !== undefined && { expireTime: toTimestamp(expireTimeMs) }),
  };
}
