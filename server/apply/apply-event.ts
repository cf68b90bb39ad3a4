/**
 * Applies one event to the pool. Deterministic and without I/O: the same events at the same times give the same pool. An
 * applier checks first and changes then, so that a refusal (`MeridianError`) leaves the pool as it was.
 */
import { assertNever } from "../../shared/assert.ts";
import type { EventReplies, EventReply, PoolEvent } from "../pool/events.ts";
import type { Pool } from "../pool/pool.ts";
import { applyVmAdopt } from "./adoption.ts";
import { applyCallsNoted, noteAsked, recordBefore } from "./audit.ts";
import { applyVmBatchCreate } from "./batch.ts";
import { applyCatalogRead } from "./catalog-reading.ts";
import {
  applyServiceAccountCreate,
  applyServiceAccountDelete,
  applyServiceAccountUpdate,
  applyTokenCreate,
  applyTokenRevoke,
  applyTokensUsed,
} from "./client-account.ts";
import { applyHostDelete, applyHostRelease, applyHostUpdate } from "./client-host.ts";
import { applyIssuerCreate, applyIssuerDelete, applyIssuerUpdate } from "./client-issuer.ts";
import { applyProjectCreate, applyProjectDelete, applyProjectUpdate } from "./client-project.ts";
import {
  applyCatalogCreate,
  applyCatalogDelete,
  applyCatalogSeal,
  applyCatalogUpdate,
  applyTemplateCreate,
  applyTemplateDelete,
  applyTemplateUpdate,
} from "./client-template.ts";
import { applyVmCreate, applyVmRenew, applyVmUpdate, applyVmWant } from "./client-vm.ts";
import { applyCommandReported } from "./command.ts";
import { applyHostProbed, applyVmCommanded, applyVmPlaced } from "./decision.ts";
import {
  applyHostCertify,
  applyHostEnrol,
  applyHostRevoke,
  applyJoinTokenCreate,
  applyJoinTokenDelete,
  applyJoinTokenRevoke,
} from "./enrolment.ts";
import { applyHostConnected, applyHostDisconnected, applyHostHeard, applyHostInventoried } from "./host-report.ts";
import { applyHostPrefetch, applyTemplatePrefetch } from "./image-prefetches.ts";
import { applyImagesPurge } from "./image-purges.ts";
import { applyOrphanRemove } from "./orphans.ts";
import { applyVmPreempting, applyVmSpared } from "./preemption.ts";
import { applyVmReserved } from "./reservation.ts";
import { applyTemplateJudge, applyVmRevoked } from "./revocation.ts";
import { applySettingsUpdate } from "./settings.ts";
import { applyTick } from "./tick.ts";

/** @param timeMs the pool's time; never less than that of the event before. */
export function applyEvent<E extends PoolEvent>(pool: Pool, event: E, timeMs: number): EventReply<E> {
  const { asked } = event;
  if (asked === undefined) return apply(pool, event, timeMs) as EventReply<E>;
  const before = recordBefore(pool, event);
  const at = pool.history.notedCount;
  const reply = apply(pool, event, timeMs);
  noteAsked(pool, asked, { event, before, reply, at, timeMs });
  // The casts hold because each case answers with what `EventReplies` names for its type.
  return reply as EventReply<E>;
}

function apply(pool: Pool, event: PoolEvent, timeMs: number): EventReplies[PoolEvent["type"]] {
  switch (event.type) {
    case "vm-create":
      return applyVmCreate(pool, event, timeMs);
    case "vm-batch-create":
      return applyVmBatchCreate(pool, event, timeMs);
    case "vm-update":
      return applyVmUpdate(pool, event, timeMs);
    case "vm-renew":
      return applyVmRenew(pool, event, timeMs);
    case "vm-adopt":
      return applyVmAdopt(pool, event, timeMs);
    case "vm-want":
      return applyVmWant(pool, event, timeMs);
    case "host-update":
      return applyHostUpdate(pool, event, timeMs);
    case "host-release":
      return applyHostRelease(pool, event, timeMs);
    case "host-delete":
      return applyHostDelete(pool, event, timeMs);
    case "template-create":
      return applyTemplateCreate(pool, event, timeMs);
    case "template-update":
      return applyTemplateUpdate(pool, event, timeMs);
    case "template-delete":
      return applyTemplateDelete(pool, event);
    case "template-judge":
      return applyTemplateJudge(pool, event, timeMs);
    case "template-prefetch":
      return applyTemplatePrefetch(pool, event, timeMs);
    case "catalog-create":
      return applyCatalogCreate(pool, event, timeMs);
    case "catalog-update":
      return applyCatalogUpdate(pool, event, timeMs);
    case "catalog-seal":
      return applyCatalogSeal(pool, event);
    case "catalog-read":
      return applyCatalogRead(pool, event, timeMs);
    case "catalog-delete":
      return applyCatalogDelete(pool, event);
    case "project-create":
      return applyProjectCreate(pool, event, timeMs);
    case "project-update":
      return applyProjectUpdate(pool, event, timeMs);
    case "service-account-create":
      return applyServiceAccountCreate(pool, event, timeMs);
    case "service-account-update":
      return applyServiceAccountUpdate(pool, event, timeMs);
    case "service-account-delete":
      return applyServiceAccountDelete(pool, event);
    case "issuer-create":
      return applyIssuerCreate(pool, event, timeMs);
    case "issuer-update":
      return applyIssuerUpdate(pool, event, timeMs);
    case "issuer-delete":
      return applyIssuerDelete(pool, event);
    case "token-create":
      return applyTokenCreate(pool, event, timeMs);
    case "token-revoke":
      return applyTokenRevoke(pool, event);
    case "tokens-used":
      return applyTokensUsed(pool, event);
    case "calls-noted":
      return applyCallsNoted(pool, event, timeMs);
    case "project-delete":
      return applyProjectDelete(pool, event);
    case "settings-update":
      return applySettingsUpdate(pool, event, timeMs);
    case "join-token-create":
      return applyJoinTokenCreate(pool, event, timeMs);
    case "join-token-revoke":
      return applyJoinTokenRevoke(pool, event, timeMs);
    case "join-token-delete":
      return applyJoinTokenDelete(pool, event);
    case "host-enrol":
      return applyHostEnrol(pool, event, timeMs);
    case "host-certify":
      return applyHostCertify(pool, event, timeMs);
    case "host-revoke":
      return applyHostRevoke(pool, event, timeMs);
    case "host-connected":
      return applyHostConnected(pool, event, timeMs);
    case "host-heard":
      return applyHostHeard(pool, event, timeMs);
    case "host-inventoried":
      return applyHostInventoried(pool, event, timeMs);
    case "command-reported":
      return applyCommandReported(pool, event, timeMs);
    case "host-disconnected":
      return applyHostDisconnected(pool, event);
    case "vm-placed":
      return applyVmPlaced(pool, event, timeMs);
    case "vm-reserved":
      return applyVmReserved(pool, event, timeMs);
    case "vm-preempting":
      return applyVmPreempting(pool, event, timeMs);
    case "vm-spared":
      return applyVmSpared(pool, event, timeMs);
    case "vm-commanded":
      return applyVmCommanded(pool, event, timeMs);
    case "vm-revoked":
      return applyVmRevoked(pool, event, timeMs);
    case "orphan-remove":
      return applyOrphanRemove(pool, event, timeMs);
    case "host-prefetch":
      return applyHostPrefetch(pool, event, timeMs);
    case "images-purge":
      return applyImagesPurge(pool, event, timeMs);
    case "host-probed":
      return applyHostProbed(pool, event, timeMs);
    case "tick":
      return applyTick(pool, timeMs);
    default:
      return assertNever(event, "event");
  }
}
