/**
 * The operator's own token: made on the first start that is not insecure, and kept beside the data for whoever may read it
 * there. It may do everything.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MeridianError } from "../../shared/errors.ts";
import { createFileDurably } from "../storage/durable-file.ts";
import { hasErrorCode, toStoreError } from "../storage/storage-errors.ts";
import type { Admission } from "./admission.ts";
import { bearerOf } from "./bearer.ts";

/** Where it stands in a data directory. */
export const adminTokenFile = "admin-token";

/** Reads the token, or makes one. Rejects with a `StoreError`. */
export async function openAdminToken(dataDir: string): Promise<Admission> {
  const path = join(dataDir, adminTokenFile);
  try {
    const made = `mat1.${randomBytes(32).toString("base64url")}`;
    await createFileDurably(path, `${made}\n`);
    return admitOnly(made);
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw toStoreError(error, `${path} cannot be written`);
  }
  try {
    return admitOnly((await readFile(path, "utf8")).trim());
  } catch (error) {
    throw toStoreError(error, `${path} cannot be read`);
  }
}

function admitOnly(token: string): Admission {
  const expected = digest(token);
  return {
    onChange: () => ({ cancel: () => undefined }),
    admit({ authorization, address }) {
      const given = bearerOf(authorization);
      if (given === undefined) {
        throw new MeridianError(
          "CREDENTIALS_MISSING",
          "the call says not who makes it; send a token as `authorization: Bearer TOKEN`",
        );
      }
      // Digests have one length, and comparing them tells nothing of the token, however long it takes.
      if (!timingSafeEqual(digest(given), expected)) {
        throw new MeridianError("CREDENTIALS_INVALID", "the token is not known here; it may be another server's");
      }
      return { principal: "admin", authentication: "admin-token", address, bindings: [{ role: "admin" }] };
    },
  };
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
