/** What a call needs: a role, and where. */
import { MeridianError } from "../../shared/errors.ts";
import { asVmId } from "../../shared/ids.ts";
import type { PoolView } from "../pool/view.ts";
import { type Caller, canSeeProject, hasRoleSomewhere, roleEverywhere, roleIn } from "./caller.ts";
import { includesRole, type Role } from "./roles.ts";

export type Requirement<Request = never> =
  /** To be somebody. */
  | { readonly scope: "self" }
  /** The role in the whole pool. */
  | { readonly scope: "pool"; readonly role: Role }
  /** The role in some project; what of other projects the answer would tell is left out. */
  | { readonly scope: "somewhere"; readonly role: Role }
  /** The role in the project that the request names. */
  | { readonly scope: "project"; readonly role: Role; readonly projectOf: (request: Request) => string | undefined }
  /** The role in the project of the VM that the request names. */
  | {
      readonly scope: "vm";
      /** For VMs of others. */
      readonly role: Role;
      /** For one's own; absent: the same. */
      readonly ownRole?: Role;
      readonly vmOf: (request: Request) => string | undefined;
      /** Of a copy: the project that it is made in, where the role `user` is needed too. */
      readonly alsoUserIn?: (request: Request) => string | undefined;
    };

/** The project of a VM whose spec names none. */
export const defaultProject = "default";

/** Whether the caller needs no look at what the request names. */
export function isMetEverywhere(requirement: Requirement, caller: Caller): boolean {
  if (requirement.scope === "self") return true;
  return includesRole(roleEverywhere(caller), requirement.role);
}

/**
 * Throws ROLE_MISSING if the caller may not, and RESOURCE_NOT_FOUND for a VM that he may not even know of.
 * @param request a message of the method that the requirement belongs to.
 */
export function checkRequirement<Request>(
  requirement: Requirement<Request>,
  { request, caller, view }: { readonly request: Request; readonly caller: Caller; readonly view: PoolView },
): void {
  switch (requirement.scope) {
    case "self":
      return;
    case "pool":
      if (!includesRole(roleEverywhere(caller), requirement.role)) throw roleMissing(caller, requirement.role);
      return;
    case "somewhere":
      if (!hasRoleSomewhere(caller, requirement.role)) throw roleMissing(caller, requirement.role, "any");
      return;
    case "project":
      checkProject(caller, requirement.role, requirement.projectOf(request));
      return;
    case "vm":
      checkVm(requirement, { request, caller, view });
      if (requirement.alsoUserIn !== undefined) checkProject(caller, "user", requirement.alsoUserIn(request));
      return;
    default:
      return requirement satisfies never;
  }
}

function checkProject(caller: Caller, role: Role, named: string | undefined): void {
  const project = named === undefined || named === "" ? defaultProject : named;
  if (!includesRole(roleIn(caller, project), role)) throw roleMissing(caller, role, project);
}

function checkVm<Request>(
  { role, ownRole, vmOf }: Extract<Requirement<Request>, { scope: "vm" }>,
  { request, caller, view }: { readonly request: Request; readonly caller: Caller; readonly view: PoolView },
): void {
  const name = vmOf(request) ?? "";
  const vm = view.vms.get(asVmId(name.slice(name.lastIndexOf("/") + 1)));
  // What is not there is the handler's to say, in the same words as of what may not be known.
  if (vm === undefined) {
    if (!hasRoleSomewhere(caller, "viewer")) throw roleMissing(caller, "viewer", "any");
    return;
  }
  const { project } = vm.spec;
  if (!canSeeProject(caller, project)) {
    const resource = `vms/${vm.id}`;
    throw new MeridianError("RESOURCE_NOT_FOUND", `${resource} does not exist`, { resource, metadata: { resource } });
  }
  const needed = vm.owner !== undefined && vm.owner === caller.principal ? (ownRole ?? role) : role;
  if (!includesRole(roleIn(caller, project), needed)) throw roleMissing(caller, needed, project);
}

/** @param project "any": in some project; absent: in the whole pool. */
function roleMissing(caller: Caller, role: Role, project?: string): MeridianError {
  const where = project === undefined ? "everywhere" : project === "any" ? "in a project" : `in project ${project}`;
  return new MeridianError(
    "ROLE_MISSING",
    `${caller.principal} needs the role ${role} ${where} for this; an admin can give it`,
    { metadata: { principal: caller.principal, role, project: project ?? "" } },
  );
}
