import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "../../../../shared/gen/es/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as AlphaReflection } from "../../../../shared/gen/es/grpc/reflection/v1alpha/reflection_pb.ts";
import { CatalogService } from "../../../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { HostService } from "../../../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmService } from "../../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { ServedApi } from "../../../support/server/served-api.ts";

const run = promisify(execFile);
const buf = new URL("../../../../node_modules/.bin/buf", import.meta.url).pathname;
type Question = Exclude<ServerReflectionRequest["messageRequest"], { case: undefined }>;

describe("reflection and health", () => {
  let api: ServedApi;
  before(async () => {
    api = await ServedApi.open();
  });
  after(() => api.close());

  const curl = async (...args: string[]): Promise<string> => {
    const path = args.pop() ?? "";
    const options = [
      "curl",
      "--http2-prior-knowledge",
      "--protocol",
      "grpc",
      ...args,
      `http://${api.grpcAddress}${path}`,
    ];
    const { stdout } = await run(buf, options, { timeout: 8000 });
    return stdout;
  };
  const services = [VmService, HostService, TemplateService, CatalogService, PoolService];

  it("list every method to buf curl, in both versions", async () => {
    const expected = services.flatMap((service) =>
      service.methods.map((method) => `${service.typeName}/${method.name}`),
    );
    for (const version of ["grpc-v1", "grpc-v1alpha"]) {
      const listed = (await curl("--reflect-protocol", version, "--list-methods", "")).split("\n");
      for (const method of expected) assert(listed.includes(method), `${version}: ${method}`);
      assert(listed.includes("grpc.health.v1.Health/Check"));
      assert(listed.includes("grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }
  });

  for (const service of services) {
    it(`let buf curl call ${service.name} by what they describe`, async () => {
      // An answer or an error of the service's own: either shows that the schema was whole.
      const method = service.methods.find(({ name }) => /^(List|Get)(?:Vms|Hosts|Templates|Catalogs|Pool)$/.test(name));
      assert(method !== undefined);
      JSON.parse(await curl("-d", "{}", `/${service.typeName}/${method.name}`));
    });
  }

  it("let buf curl read the details of errors", async () => {
    await assert.rejects(
      curl("-d", '{"name":"vms/absent"}', "/meridian.v1.VmService/GetVm"),
      /not_found[\s\S]*google\.rpc\.ErrorInfo/,
    );
  });

  it("say that every service serves, and which does not exist", async () => {
    for (const service of ["", ...services.map(({ typeName }) => typeName)]) {
      assert.match(await curl("-d", JSON.stringify({ service }), "/grpc.health.v1.Health/Check"), /"SERVING"/);
    }
    await assert.rejects(curl("-d", '{"service":"x"}', "/grpc.health.v1.Health/Check"), /not_found/);
    api.grpc.health.setServing(false);
    assert.match(await curl("-d", "{}", "/grpc.health.v1.Health/Check"), /"NOT_SERVING"/);
    api.grpc.health.setServing(true);
  });

  const ask = async (questions: readonly Question[]): Promise<string[]> => {
    const answers: string[] = [];
    async function* requests() {
      for (const messageRequest of questions) yield { host: "h", messageRequest };
    }
    for await (const { messageResponse } of api.client(ServerReflection).serverReflectionInfo(requests())) {
      if (messageResponse.case === "fileDescriptorResponse") {
        const files = messageResponse.value.fileDescriptorProto.map((bytes) =>
          fromBinary(FileDescriptorProtoSchema, bytes),
        );
        const names = new Set(files.map(({ name }) => name));
        for (const file of files) for (const dependency of file.dependency) assert(names.has(dependency), dependency);
        answers.push(files[0]?.name ?? "");
      } else if (messageResponse.case === "errorResponse") answers.push(`error ${messageResponse.value.errorCode}`);
      else if (messageResponse.case === "allExtensionNumbersResponse")
        answers.push(messageResponse.value.extensionNumber.join());
      else answers.push(messageResponse.case ?? "");
    }
    return answers;
  };

  it("find files by name and by every kind of symbol, with all that they import", async () => {
    const symbols = [
      "meridian.v1.VmService",
      "meridian.v1.VmService.CreateVm",
      "meridian.v1.Vm",
      "meridian.v1.Vm.name",
      "meridian.v1.VmStatus.State",
      "meridian.v1.VmStatus.STATE_RUNNING",
      "google.rpc.ErrorInfo",
      "google.protobuf.Timestamp",
    ];
    const byName: Question = { case: "fileByFilename", value: "meridian/v1/vm.proto" };
    const answers = await ask([byName, ...symbols.map((value): Question => ({ case: "fileContainingSymbol", value }))]);
    const vmFile = "meridian/v1/vm.proto";
    const serviceFile = "meridian/v1/vm_service.proto";
    assert.deepEqual(answers, [
      vmFile,
      serviceFile,
      serviceFile,
      vmFile,
      vmFile,
      vmFile,
      vmFile,
      "google/rpc/error_details.proto",
      "google/protobuf/timestamp.proto",
    ]);
  });

  it("answer what is not known with an error, and go on", async () => {
    const answers = await ask([
      { case: "fileContainingSymbol", value: "no.Such" },
      { case: "fileByFilename", value: "no.proto" },
      { case: "allExtensionNumbersOfType", value: "no.Such" },
      { case: "allExtensionNumbersOfType", value: "meridian.v1.Vm" },
      { case: "listServices", value: "" },
    ]);
    assert.deepEqual(answers, ["error 5", "error 5", "error 5", "", "listServicesResponse"]);
  });

  it("answer in the older version too", async () => {
    async function* requests() {
      yield { messageRequest: { case: "fileContainingSymbol", value: "no.Such" } as const };
      yield { messageRequest: { case: "listServices", value: "" } as const };
    }
    const cases: unknown[] = [];
    for await (const { messageResponse } of api.client(AlphaReflection).serverReflectionInfo(requests()))
      cases.push(messageResponse.case);
    assert.deepEqual(cases, ["errorResponse", "listServicesResponse"]);
  });
});
