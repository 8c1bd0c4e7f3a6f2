// How a task is called again whose answer is not yet the one that is waited for, as far as registration has to know it.

/** How long after an answer the next call is made, as a span. */
export const DEFAULT_EVERY = '5s'
/** How many calls are made. */
export const DEFAULT_POLLS = 100
