/** Who calls: found out once for each call, at the front door, and passed on to whatever has to know. */
import { type Binding, higherRole, includesRole, type Role } from "./roles.ts";

export interface Caller {
  /** Who it is, such as `serviceAccounts/ci`. What he makes is his own by this name. */
  readonly principal: string;
  /** How that was proven. */
  readonly authentication: "none" | "admin-token" | "token" | "oidc";
  /** Where the call comes from, as far as it is known. */
  readonly address: string;
  readonly bindings: readonly Binding[];
  /** The pool time at which what he proved himself with ends; absent: it does not. */
  readonly expireTimeMs?: number;
}

/** The caller of a server that asks nobody who he is: whoever reaches it may do everything. */
export function insecureCaller(address: string): Caller {
  return { principal: "insecure", authentication: "none", address, bindings: everythingBindings };
}

const everythingBindings: readonly Binding[] = [{ role: "admin" }];

/** The caller's highest role in the whole pool, if he has one. */
export function roleEverywhere({ bindings }: Caller): Role | undefined {
  let highest: Role | undefined;
  for (const { role, project } of bindings) if (project === undefined) highest = higherRole(highest, role);
  return highest;
}

/** The caller's highest role in a project: there, or everywhere. */
export function roleIn({ bindings }: Caller, project: string): Role | undefined {
  let highest: Role | undefined;
  for (const binding of bindings) {
    if (binding.project === undefined || binding.project === project) highest = higherRole(highest, binding.role);
  }
  return highest;
}

/** Whether the caller has the role in some project, or everywhere. */
export function hasRoleSomewhere({ bindings }: Caller, needed: Role): boolean {
  return bindings.some(({ role }) => includesRole(role, needed));
}

/** Whether the caller may see what belongs to a project. */
export function canSeeProject(caller: Caller, project: string): boolean {
  return includesRole(roleIn(caller, project), "viewer");
}
