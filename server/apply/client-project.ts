/** What operators ask of projects. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import type { ProjectCreate, ProjectDelete, ProjectUpdate } from "../pool/events/access.ts";
import { projectsMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { ProjectRecord } from "../pool/project.ts";
import {
  alreadyExists,
  changed,
  checkEtag,
  checkGeneration,
  created,
  findRepeated,
  inUse,
  madeBefore,
  rememberRequest,
} from "./checks.ts";

export function applyProjectCreate(pool: Pool, event: ProjectCreate, timeMs: number): ProjectRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.projects, repeated, "projects");
  if (pool.projects.has(event.id)) throw alreadyExists(`projects/${event.id}`);
  if (pool.projects.size >= projectsMax) throw tooManyProjects();
  const project: ProjectRecord = { ...created(pool, timeMs), id: event.id, uid: event.uid, spec: event.spec };
  pool.putProject(project);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return project;
}

export function applyProjectUpdate(pool: Pool, event: ProjectUpdate, timeMs: number): ProjectRecord {
  const project = findProject(pool, event);
  checkGeneration(project, event.baseGeneration, `projects/${event.id}`);
  const after: ProjectRecord = { ...project, ...changed(pool, project, timeMs), spec: event.spec };
  pool.putProject(after);
  return after;
}

/** A project that has VMs stays: without its quota and its weight they would have what they were not given. */
export function applyProjectDelete(pool: Pool, event: ProjectDelete): ProjectRecord {
  const project = findProject(pool, event);
  const { members } = pool.projectLedger(event.id);
  if (members > 0) throw inUse(`projects/${event.id}`, `it has ${members} VMs; delete them first`);
  pool.removeProject(event.id);
  return project;
}

/** Refuses a VM of a project that nobody has named so far, once there are too many of them. */
export function checkProjectBound(pool: Pool, project: string): void {
  const { projectLedgers } = pool;
  if (projectLedgers.has(project) || projectLedgers.size < projectsMax) return;
  throw tooManyProjects();
}

function findProject(pool: Pool, event: ProjectUpdate | ProjectDelete): ProjectRecord {
  const project = pool.projects.get(event.id);
  if (project === undefined) throw notFound(`projects/${event.id}`);
  checkEtag(project, event.etag, `projects/${event.id}`);
  return project;
}

function tooManyProjects(): MeridianError {
  return new MeridianError("LIMIT_REACHED", `there are ${projectsMax} projects already; use one of them`, {
    metadata: { limit: String(projectsMax) },
  });
}
