/**
 * The reflection service, v1 and v1alpha, exact enough for grpcurl and `buf curl`: files go out as they were compiled, with
 * all that they import. What is not known is an error inside the answer, never the end of the stream.
 */
import {
  create,
  type DescFile,
  type DescService,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "../../../shared/gen/es/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../../shared/gen/es/google/rpc/status_pb.ts";
import { Health } from "../../../shared/gen/es/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../../shared/gen/es/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as AlphaReflection,
  ServerReflectionRequestSchema as AlphaRequestSchema,
  ServerReflectionResponseSchema as AlphaResponseSchema,
} from "../../../shared/gen/es/grpc/reflection/v1alpha/reflection_pb.ts";
import { bindService, type ServiceBinding } from "../rpc/handlers.ts";
import { DescriptorIndex } from "./descriptor-index.ts";

/** Both versions of the service. They tell of `services`, of health, of themselves, and of the details of errors. */
export function reflectionBindings(services: readonly DescService[]): ServiceBinding[] {
  // Made for the first one who asks: nobody asks for most of a server's starts.
  let known: DescriptorIndex | undefined;
  const index = (): DescriptorIndex => {
    known ??= new DescriptorIndex([...services, Health, ServerReflection, AlphaReflection], errorFiles);
    return known;
  };
  return [
    bindService(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield answerRequest(index(), request);
      },
    }),
    bindService(AlphaReflection, {
      async *serverReflectionInfo(requests) {
        for await (const alphaRequest of requests) {
          // The two versions are the same on the wire.
          const bytes = toBinary(AlphaRequestSchema, alphaRequest);
          const response = answerRequest(index(), fromBinary(ServerReflectionRequestSchema, bytes));
          yield fromBinary(AlphaResponseSchema, toBinary(ServerReflectionResponseSchema, response));
        }
      },
    }),
  ];
}

const errorFiles: readonly DescFile[] = [file_google_rpc_error_details, file_google_rpc_status];

function answerRequest(index: DescriptorIndex, request: ServerReflectionRequest): ServerReflectionResponse {
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: answerQuestion(index, request.messageRequest),
  });
}

type Question = ServerReflectionRequest["messageRequest"];
type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

function answerQuestion(index: DescriptorIndex, question: Question): Answer {
  switch (question.case) {
    case "listServices": {
      const service = index.serviceNames.map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileAnswer(index.fileByName(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return fileAnswer(index.fileBySymbol(question.value), `symbol ${question.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const files = index.fileByExtension(containingType, extensionNumber);
      return fileAnswer(files, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = index.extensionNumbers(question.value);
      if (extensionNumber === undefined) return errorAnswer(status.NOT_FOUND, `type ${question.value} is not known`);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber } };
    }
    case undefined:
      return errorAnswer(status.INVALID_ARGUMENT, "the request asks nothing");
    default:
      return question satisfies never;
  }
}

function fileAnswer(fileDescriptorProto: Uint8Array[] | undefined, what: string): Answer {
  if (fileDescriptorProto === undefined) return errorAnswer(status.NOT_FOUND, `${what} is not known`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
