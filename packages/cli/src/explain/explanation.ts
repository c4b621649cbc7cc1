/** What may be behind an error, and what to do then. */
export interface Remedy {
  /** What is the case: a whole sentence. */
  cause: string;
  /** What mends it: a whole sentence. */
  cure: string;
}

/** What is to be known of a code beyond the one line that an error prints. */
export interface Explanation {
  /** Where it comes up, and what state things are in then. */
  about: string;
  /** The likeliest first. */
  remedies: readonly Remedy[];
}
