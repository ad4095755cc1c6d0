/* SPDX-License-Identifier: MIT */
/*  */
#ifndef BROOD_ENGINE_SUBMIT_H
#define BROOD_ENGINE_SUBMIT_H

struct brood;
struct queue;

int submit_dispatch(struct queue *l);
/* the brood's own queue; how many results, -1: nobody has used it yet */
int submit_dispatch_own(struct brood *b);

#endif
