/** How long certificates live, and when they are renewed, each with its reason. Times are in ms. */

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** A root: its end means that every host enrols anew, so it is far off; a rotation replaces it long before. */
export const rootLifeMs = 3_650 * dayMs;

/** The server's own: it renews itself, so its life is as short as a server may be switched off without notice. */
export const serverLifeMs = 90 * dayMs;

/** A host's: it renews itself at two thirds, so a Mac may be away for a month, at any time, and still come back by itself. */
export const hostLifeMs = 90 * dayMs;

/** At which part of its life a certificate is renewed. */
export const renewalShare = 2 / 3;

/** Clocks differ: a certificate counts from an hour before it was made, by the clock of whoever made it. */
export const skewMs = 1 * hourMs;

/** How often the server looks whether its own certificate is due, or files that were given to it have changed. */
export const certificateCheckMs = 10 * 1000;

/** Until when an older root is kept after a rotation, if some host has not been seen with a newer certificate: as long as its
 * certificate can still be good. */
export const retiredRootMaxMs = hostLifeMs;
