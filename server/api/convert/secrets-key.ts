/** What the API tells of the keys that seal secrets. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SecretsKeySchema } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import type { SecretsStatus } from "../../secrets/secrets-keeper.ts";

export function toSecretsKey({ keyIds, where, secretCount }: SecretsStatus): MessageInitShape<typeof SecretsKeySchema> {
  const [id = "", ...olderIds] = keyIds;
  return { id, olderIds: [...olderIds], location: where, secretCount: BigInt(secretCount) };
}
