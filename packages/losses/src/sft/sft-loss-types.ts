/** trl's `loss_type` of the SFT trainer; `chunked_nll` is the older name of `nll`. */
export const sftLossTypes = ["nll", "dft", "chunked_nll"] as const;

export type SftLossType = (typeof sftLossTypes)[number];
