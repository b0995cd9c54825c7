(* Allocates a few GB inside a small live heap: trees, immutable maps, sorted lists, vectors updated by copying,
   string buffers, float arrays, closures, mutable records and exceptions. Prints one checksum for each kind of
   work. Argument: the rounds. *)

module Ints = Map.Make (Int)

type tree = Leaf | Node of tree * int * tree

type counter = { mutable hits : int; mutable misses : int; mutable state : int }

exception Found of int * string

let counter = { hits = 0; misses = 0; state = 42 }

(* Integers have 31 bits in WebAssembly and 63 natively: nothing here goes beyond 30. *)
let random bound =
  counter.state <- ((counter.state * 1021) + 24683) land 0xfffff;
  counter.state mod bound

let mix sum n = ((sum * 31) + n) land 0xffffff

let rec build depth n =
  if depth = 0 then Leaf else Node (build (depth - 1) (n + 1), n, build (depth - 1) (n + 2))

let rec double = function Leaf -> Leaf | Node (left, n, right) -> Node (double right, n * 2, double left)

let rec fold f acc = function
  | Leaf -> acc
  | Node (left, n, right) -> fold f (f (fold f acc left) n) right

let trees depth = fold mix 0 (double (build depth (random 100)))

let maps size =
  let add map i = Ints.add (random size) (string_of_int i) map in
  let map = List.fold_left add Ints.empty (List.init size Fun.id) in
  for _ = 1 to size do
    match Ints.find (random size) map with
    | text -> counter.hits <- counter.hits + String.length text
    | exception Not_found -> counter.misses <- counter.misses + 1
  done;
  try
    Ints.iter (fun key text -> if key > size / 2 then raise (Found (key, text))) map;
    Ints.cardinal map
  with Found (key, text) -> mix key (int_of_string text)

let sorts size =
  let by_key (a, _) (b, _) = Int.compare a b in
  let sorted = List.sort by_key (List.init size (fun i -> (random 1000, i))) in
  let steps = List.map (fun k n -> (n * k) land 0xfff) [ 3; 5; 7 ] in
  List.fold_left (fun sum (key, i) -> List.fold_left (fun n step -> step n) (key + i) steps |> mix sum) 0 sorted

let vectors size =
  let set vector i x = let copy = Array.copy vector in copy.(i) <- x; copy in
  let rec update vector i = if i = 0 then vector else update (set vector (random size) i) (i - 1) in
  Array.fold_left mix 0 (update (Array.make size 0) size)

let strings size =
  let buffer = Buffer.create 16 in
  for i = 1 to size do
    Buffer.add_string buffer (if i land 7 = 0 then "x" else string_of_int (random 1000 * i));
    Buffer.add_char buffer ','
  done;
  let text = Buffer.contents buffer ^ Buffer.contents buffer in
  let number word = try int_of_string word with Failure _ -> -1 in
  List.fold_left (fun sum word -> mix sum (number word + 1)) 0 (String.split_on_char ',' text)

let floats size =
  let values = Array.init size (fun i -> float_of_int (random 1000) /. float_of_int (i + 1)) in
  let roots = Array.map (fun x -> sqrt x *. 1.5) (Array.append values values) in
  int_of_float (1000. *. Array.fold_left ( +. ) 0. roots) land 0xffffff

let () =
  let rounds = try int_of_string Sys.argv.(1) with Invalid_argument _ | Failure _ -> 2400 in
  let kept = build 16 1 in
  let run name work =
    let sum = ref 0 in
    for _ = 1 to rounds do sum := mix !sum (work ()) done;
    Printf.printf "%-8s %d\n%!" name !sum
  in
  run "trees" (fun () -> trees 13);
  run "maps" (fun () -> maps 200);
  run "sorts" (fun () -> sorts 300);
  run "vectors" (fun () -> vectors 400);
  run "strings" (fun () -> strings 150);
  run "floats" (fun () -> floats 600);
  Printf.printf "found %d, missed %d, kept %d\n" counter.hits counter.misses (fold ( + ) 0 kept)
