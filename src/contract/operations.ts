import type { operations } from '../../generated/api.js';

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

type DataOf<Envelope> = Envelope extends { data: unknown } ? Envelope['data'] : never;
