/** A requirement that is not met; the message says in what. */
export class NotMet extends Error {}
