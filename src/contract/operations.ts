import type { operations } from '../../generated/api.js';
import type { operationErrors } from '../../generated/errors.js';

export { operationRoutes } from '../../generated/routes.js';
export type { components, operations, paths } from '../../generated/api.js';

export type OperationId = keyof operations;

type JsonContent<Holder> = Holder extends { content: { 'application/json': infer Body } } ? Body : never;

/** JSON body of a request; `never` where the operation takes none. */
export type RequestBody<Op extends OperationId> = operations[Op] extends { requestBody?: infer Body }
  ? JsonContent<NonNullable<Body>>
  : never;

type SuccessStatus = 200 | 201;

/** JSON body of a successful answer, envelope included; `never` where the answer is none (`openReverseSession`, `getThumbnail`). */
export type SuccessBody<Op extends OperationId> = JsonContent<
  operations[Op]['responses'][keyof operations[Op]['responses'] & SuccessStatus]
>;

/** `data` of a successful answer. For `signHandshake` that of transcript mode: the digest answer has no envelope. */
export type SuccessData<Op extends OperationId> = DataOf<Extract<SuccessBody<Op>, { ok: true }>>;

/** Codes that an operation can fail with; the last two come from a relay that lacks the operation. */
export type FailureCode<Op extends OperationId> =
  keyof (typeof operationErrors)[Op] | 'not_found' | 'method_not_allowed';

/** Operations whose success is an envelope. */
export type EnvelopeOperationId = {
  [Op in OperationId]: [SuccessData<Op>] extends [never] ? never : Op;
}[OperationId];

/** Values in the path or query of a request; `never` where there are none. */
export type Parameters<Op extends OperationId, Place extends 'path' | 'query'> = NonNullable<
  operations[Op]['parameters'][Place]
>;

type DataOf<Envelope> = Envelope extends { data: unknown } ? Envelope['data'] : never;
