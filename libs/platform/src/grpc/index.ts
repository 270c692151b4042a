/** Unary gRPC without a gRPC library: framing by hand on node:http2, every input bounded. */
export { frameOf, readUnaryMessage, timeoutMs } from './framing.js';
export { encodeMessage, GRPC_STATUS, GrpcError, outcomeOf, type GrpcOutcome } from './status.js';
export {
  UnaryGrpcServer,
  type UnaryCall,
  type UnaryMethod,
  type UnaryServerOptions,
} from './unary-server.js';
