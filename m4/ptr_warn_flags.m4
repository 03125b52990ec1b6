# SPDX-License-Identifier: BSD-2-Clause
# PTR_WARN_FLAGS: set WARN_CFLAGS to the warnings the compiler knows, with -Werror on request; and WARN_CXXFLAGS
# to those of them that mean something in C++.
AC_DEFUN([PTR_WARN_FLAGS], [
  WARN_CFLAGS=
  ptr_save_CFLAGS=$CFLAGS
  for flag in -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
              -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wvla -Wformat=2 -Wundef; do
    CFLAGS="$ptr_save_CFLAGS -Werror $flag"
    AC_MSG_CHECKING([whether $CC accepts $flag])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [WARN_CFLAGS="$WARN_CFLAGS $flag"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
  done
  CFLAGS=$ptr_save_CFLAGS
  AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  AC_SUBST([WARN_CFLAGS])
  WARN_CXXFLAGS=
  ptr_save_CXXFLAGS=$CXXFLAGS
  AC_LANG_PUSH([C++])
  for flag in -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wpointer-arith -Wcast-qual \
              -Wvla -Wformat=2 -Wundef; do
    CXXFLAGS="$ptr_save_CXXFLAGS -Werror $flag"
    AC_MSG_CHECKING([whether $CXX accepts $flag])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [WARN_CXXFLAGS="$WARN_CXXFLAGS $flag"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
  done
  AC_LANG_POP([C++])
  CXXFLAGS=$ptr_save_CXXFLAGS
  AS_IF([test "x$enable_werror" = xyes], [WARN_CXXFLAGS="$WARN_CXXFLAGS -Werror"])
  AC_SUBST([WARN_CXXFLAGS])
])
