/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All tests, each with its name, which is also that of its function, and its
 * flags. The first is bit 0 of mask=, the next bit 1, and so on: a new test
 * goes to the end. What VMT_TEST() makes of a line is for the includer to say.
 */
VMT_TEST(le_fit_alloc_test, 0),
VMT_TEST(b_fit_alloc_test, 0),
VMT_TEST(ne_fit_alloc_test, VMT_NEEDS_RANGE),
VMT_TEST(long_busy_list_alloc_test, 0),
VMT_TEST(random_size_alloc_test, 0),
VMT_TEST(align_shift_alloc_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(random_size_align_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(pcpu_alloc_test, VMT_STRESS),
VMT_TEST(fragmentation_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(mix_stress_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(sweep_no_holes, VMT_SWEEP),
VMT_TEST(sweep_long_list, VMT_SWEEP),
VMT_TEST(sweep_two_sizes, VMT_SWEEP),
VMT_TEST(sweep_two_alignments, VMT_SWEEP),
VMT_TEST(sweep_two_windows, VMT_SWEEP),
VMT_TEST(sweep_churn, VMT_SWEEP),
VMT_TEST(sweep_free_merge, VMT_SWEEP),
VMT_TEST(sweep_free_no_merge, VMT_SWEEP),
VMT_TEST(sweep_pcpu, VMT_SWEEP | VMT_NEEDS_PCPU),
VMT_TEST(model_test, VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS),
VMT_TEST(window_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(exact_hole_test, VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS),
VMT_TEST(everything_test, VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS),
VMT_TEST(pcpu_areas_test, VMT_STRESS | VMT_NEEDS_PCPU | VMT_NEEDS_AREAS),
VMT_TEST(pcpu_leak_test, VMT_STRESS),
VMT_TEST(lazy_pages_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(many_threads_test, VMT_STRESS | VMT_NEEDS_RANGE),
VMT_TEST(fault_alloc_test, VMT_STRESS | VMT_NEEDS_RANGE | VMT_NEEDS_AREAS),
VMT_TEST(fault_pcpu_test, VMT_STRESS | VMT_NEEDS_PCPU),
VMT_TEST(map_ram_test, VMT_STRESS),
VMT_TEST(pcpu_full_test, VMT_STRESS | VMT_NEEDS_PCPU | VMT_NEEDS_AREAS)
