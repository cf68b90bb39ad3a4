/** Roles, and where somebody has them. */

/**
 * Each includes those before it.
 * - viewer: sees.
 * - user: asks for VMs, and steers its own.
 * - operator: steers the VMs of others too; in the whole pool also hosts, templates and catalogs.
 * - admin: decides who may what.
 */
export const roles = ["viewer", "user", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

/** A role in one project, or everywhere. */
export interface Binding {
  readonly role: Role;
  /** Absent: everywhere, which includes what belongs to no project. */
  readonly project?: string;
}

/** Whether one who has `held` may do what needs `needed`. */
export function includesRole(held: Role | undefined, needed: Role): boolean {
  return held !== undefined && roles.indexOf(held) >= roles.indexOf(needed);
}

/** The higher of two. */
export function higherRole(a: Role | undefined, b: Role | undefined): Role | undefined {
  if (a === undefined) return b;
  return includesRole(a, b ?? "viewer") ? a : b;
}
