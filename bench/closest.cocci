// The closest that a semantic patch comes: a scope around a lock and its release in one function, with a GFP_NOFS call
// between. Which locks reclaim takes it can't tell.
@mutex@
expression L, E;
identifier f;
@@
+ nofs = memalloc_nofs_save();
  mutex_lock(L);
  ... when != mutex_unlock(L)
  E = f(..., GFP_NOFS)
  ...
  mutex_unlock(L);
+ memalloc_nofs_restore(nofs);

@rwsem@
expression L, E;
identifier f;
@@
+ nofs = memalloc_nofs_save();
  down_write(L);
  ... when != up_write(L)
  E = f(..., GFP_NOFS)
  ...
  up_write(L);
+ memalloc_nofs_restore(nofs);
