// The closest that a semantic patch comes, in one function: a scope around a region of a sleeping lock in which something gets
// GFP_NOFS, at any depth of an expression, and GFP_KERNEL in its place. Which locks reclaim takes, and what is called under them
// in other functions, it can't tell.
@@
expression L;
@@
(
+ nofs = memalloc_nofs_save();
  mutex_lock(L);
|
+ nofs = memalloc_nofs_save();
  mutex_lock_nested(L, ...);
|
+ nofs = memalloc_nofs_save();
  down_read(L);
|
+ nofs = memalloc_nofs_save();
  down_read_nested(L, ...);
|
+ nofs = memalloc_nofs_save();
  down_write(L);
|
+ nofs = memalloc_nofs_save();
  down_write_nested(L, ...);
)
  <+... when != mutex_unlock(L);
      when != up_read(L);
      when != up_write(L);
- GFP_NOFS
+ GFP_KERNEL
  ...+>
(
  mutex_unlock(L);
+ memalloc_nofs_restore(nofs);
|
  up_read(L);
+ memalloc_nofs_restore(nofs);
|
  up_write(L);
+ memalloc_nofs_restore(nofs);
)
