/* SPDX-License-Identifier: MIT */
#include "plane/wake.h"

#include "base/clock.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void kn_wake_init(struct kn_wake *wake, struct kn_control_page *own,
                  const struct kn_control_page *peer)
{
    *wake = (struct kn_wake){.own = own, .peer = peer, .tokens = KN_BURST, .refilled = kn_now()};
}

/* `throttled` is set together with the last token: the ring that it pays for wakes whoever parked before
 * that was to be seen, and every later parking sees it. */
static bool spend(struct kn_wake *wake)
{
    int64_t now = kn_now(), earned = (now - wake->refilled) / KN_REFILL_NS;
    if (earned > 0) {
        wake->tokens =
            earned > KN_BURST - (int64_t)wake->tokens ? KN_BURST : wake->tokens + (uint32_t)earned;
        wake->refilled = now;
    }
    if (!wake->tokens)
        return false;
    wake->tokens--;
    atomic_store_explicit(&wake->own->throttled, !wake->tokens, memory_order_relaxed);
    return true;
}

bool kn_wake_ring(struct kn_wake *wake, uint64_t key)
{
    if (!spend(wake))
        return false;
    wake->rung = key;
    atomic_store_explicit(&wake->own->bell, ++wake->bell, memory_order_release);
    if ((key & 3) != KN_AT_BELL)
        return true;
    syscall(SYS_futex, &wake->own->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return false;
}

void kn_wake_sleep(const struct kn_wake *wake, uint32_t bell, int64_t deadline)
{
    struct timespec until = kn_timespec(deadline);
    syscall(SYS_futex, &wake->peer->bell, FUTEX_WAIT_BITSET, bell,
            deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}
