% SPDX-License-Identifier: BSD-2-Clause
% real.pl - the program of bench/real's workload prolog. It reads words: "round" works and answers
% "round NUMBER RESULT... INFERENCES"; "tick" does a little and answers "ok"; "quit" ends it. Its
% argument is the size of a round in per cent.
:- use_module(library(assoc)).
:- use_module(library(aggregate)).
:- use_module(library(readutil)).
:- dynamic fact/3, kept/2.

tree(0, leaf) :- !.
tree(N, node(L, N, R)) :- M is N - 1, tree(M, L), tree(M, R).
size(leaf, 0).
size(node(L, _, R), S) :- size(L, A), size(R, B), S is A + B + 1.

% Terms on the global stack, which grows for them and is trimmed.
terms(N, Size) :- tree(N, T), size(T, Size).

atoms(I, N, Sum) :-
	findall(L, ( between(1, N, K), format(atom(A), "atom ~d of round ~d", [K, I]),
		     atom_length(A, L) ), Ls),
	sum_list(Ls, Sum).

strings(N, Len) :-
	findall(S, ( between(1, N, K), numlist(1, 400, Xs), atomic_list_concat([K|Xs], ',', S) ), Ss),
	atomic_list_concat(Ss, A), atom_length(A, Len).

balanced(N, Sum) :-
	numlist(1, N, Ks),
	foldl([K, A, B]>>( V is K * K mod 1009, put_assoc(K, A, V, B) ), Ks, t, Assoc),
	assoc_to_values(Assoc, Vs), sum_list(Vs, Sum).

facts(I, N, Sum) :-
	forall(between(1, N, K),
	       ( J is K * K mod 1009, format(string(S), "text ~d of ~d", [K, I]),
		 assertz(fact(K, J, S)) )),
	aggregate_all(sum(J), fact(_, J, _), Sum),
	retractall(fact(_, _, _)).

% Some of each round stays to the end.
keep(I, Count) :-
	forall(between(1, 500, K),
	       ( numlist(1, 20, Xs), atomic_list_concat([I, K|Xs], ' ', A), assertz(kept(I, A)) )),
	aggregate_all(count, kept(_, _), Count).

part(Whole, Part) :-
	current_prolog_flag(argv, Argv), last(Argv, Arg), atom_number(Arg, Scale),
	Part is max(1, Whole * Scale // 100).

round(I) :-
	statistics(inferences, Before),
	% A tree of 2^Depth: a million nodes at 100 per cent.
	part(1048576, Nodes), Depth is max(8, msb(Nodes)), part(100000, Many), part(5000, Texts),
	terms(Depth, T), atoms(I, Many, A), strings(Texts, L), balanced(Many, B), facts(I, Many, F),
	keep(I, K),
	numlist(1, Many, Xs), msort(Xs, Ys), sum_list(Ys, Sum),
	statistics(inferences, After),
	garbage_collect, garbage_collect_atoms, garbage_collect_clauses, trim_stacks,
	Inferences is After - Before,
	format("round ~w ~w ~w ~w ~w ~w ~w ~w ~w~n", [I, T, A, L, B, F, K, Sum, Inferences]).

answer("tick", I, I) :- numlist(1, 1000, Xs), sum_list(Xs, 500500), format("ok~n").
answer("round", I, J) :- J is I + 1, round(J).

loop(I) :-
	read_line_to_string(user_input, Word),
	( ( Word == end_of_file ; Word == "quit" ) -> true
	; answer(Word, I, J), flush_output, loop(J)
	).
:- initialization((loop(0), halt)).
