/* fault: numbered failures and named kill points, only in builds with EG_FAULT=1; elsewhere they cost
 * nothing.
 *
 * Environment (fault builds only): ELDERGATE_KILL=<point>[:<nth>] raises SIGKILL at the nth passage (1 if
 * left out) of that point, so that a crash test can prove that the point was hit: the process's exit shows
 * signal 9. ELDERGATE_KILL_WITH=STOP raises SIGSTOP instead, ELDERGATE_KILL_PID=<pid> sends either to another
 * process. ELDERGATE_UNSAFE=<name> turns on one seeded fault that the checker must catch. Thread: any. */
#ifndef EG_BASE_FAULT_H
#define EG_BASE_FAULT_H

#include <stdbool.h>

#ifdef EG_FAULT
void eg_kill_point(const char *name);
bool eg_unsafe(const char *name); /* is this seeded fault turned on? */
bool eg_fault(void);              /* true exactly once: at the nth call since eg_fault_arm(n) */
void eg_fault_arm(long nth);      /* 0 disarms */
bool eg_fault_hit(void);
#else
#define eg_kill_point(name) ((void)0)
#define eg_unsafe(name)     (false)
#define eg_fault()          (false)
#endif

#endif
