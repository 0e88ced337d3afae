/** @returns a port of the loopback address that nobody listens on at the moment */
export declare function freePort(): Promise<number>
