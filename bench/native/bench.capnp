@0xd3a1b7c95e2f4860;

interface Bench {
  echo @0 (text :Text) -> (text :Text);
  counter @1 () -> (counter :Counter);
  swap @2 (file :File) -> (file :File);
}

interface Counter {
  next @0 () -> (counter :Counter);
  value @1 () -> (value :UInt32);
}

# Stands for the descriptor that travels beside it.
interface File {}
