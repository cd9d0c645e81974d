/*
 * tps_compiler.h -- what compilers are asked for where they know how
 */
#ifndef TPS_COMPILER_H
#define TPS_COMPILER_H

/* Digests are of bytes in memory, and some kernels take two numbers from one word. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the generated code needs a little-endian core"
#endif

/* Constants that stay in flash. AVR cores keep others in RAM, and read these by other instructions:
 * a pointer to them is of another kind. It takes GNU C there, -std=gnu11. */
#ifdef __FLASH
#define TPS_FLASH __flash
#else
#define TPS_FLASH
#endif

/* Room that keeps no value between two calls, off the stack. -DTPS_STATIC= is for linkers that take
 * only variables which all files see: that of MicroPython's native modules. */
#ifndef TPS_STATIC
#define TPS_STATIC static
#endif

/* A function of its own has all registers to itself, and its caller saves fewer. */
#ifdef __GNUC__
#define TPS_APART __attribute__((noinline))
#else
#define TPS_APART
#endif

/* A function that many others call, of which one copy is enough where code shall be small. */
#if defined(__GNUC__) && defined(__OPTIMIZE_SIZE__)
#define TPS_ONCE __attribute__((noinline, unused)) static
#else
#define TPS_ONCE static inline
#endif

/* A short function that is part of its callers, unless code shall be small. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define TPS_TOGETHER __attribute__((always_inline)) inline
#else
#define TPS_TOGETHER
#endif

/* RISC-V saves registers by sixteen bytes: a branch apart keeps its own to itself. */
#ifdef __riscv
#define TPS_BRANCH TPS_APART
#else
#define TPS_BRANCH
#endif

/* A condition that holds seldom: its branch lies out of the way. */
#ifdef __GNUC__
#define TPS_SELDOM(condition) __builtin_expect(condition, 0)
#else
#define TPS_SELDOM(condition) (condition)
#endif

/* An inner loop that fills the registers: unrolled, it would keep numbers in memory. */
#if defined(__thumb__) && defined(__clang__)
#define TPS_ROLLED _Pragma("clang loop unroll(disable)")
#elif defined(__thumb__) && defined(__GNUC__)
#define TPS_ROLLED _Pragma("GCC unroll 1")
#else
#define TPS_ROLLED
#endif

/* A short inner loop whose bounds are constants: one piece of code, unless that shall be small. */
#if defined(__OPTIMIZE_SIZE__) && defined(__clang__)
#define TPS_UNROLLED _Pragma("clang loop unroll(disable)")
#elif defined(__clang__)
#define TPS_UNROLLED _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__) && __GNUC__ >= 8 && !defined(__OPTIMIZE_SIZE__)
#define TPS_UNROLLED _Pragma("GCC unroll 16")
#else
#define TPS_UNROLLED
#endif

#endif
